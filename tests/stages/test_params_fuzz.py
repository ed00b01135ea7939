"""Whatever bytes params.yaml holds, it is read, or refused in one line; and what is good is read."""

from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from stages.errors import ParamsError, explain
from stages.params import parse_params, parse_yaml, read_params
from stages.schema import Params
from tests.conftest import fuzz_examples

DEFAULT = (Path(__file__).parents[2] / "recipes/default.yaml").read_text(encoding="utf-8")
VALUES = parse_yaml(DEFAULT, name="default.yaml")
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.dates(),
    st.binary(max_size=4),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.one_of(st.none(), st.integers(), st.text(max_size=5)), st.none(), max_size=2),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for step, item in steps for place in [(*path, step), *places(item, (*path, step))]]


def read(content: bytes, folder: Path) -> Params | None:
    path = folder / "params.yaml"
    path.write_bytes(content)
    try:
        return read_params(path)
    except ParamsError as error:
        line = explain(error)
        assert line
        assert line.isprintable()
        assert len(line) < 5000
        return None


@settings(max_examples=fuzz_examples(200), deadline=None)
@given(start=st.integers(0, len(DEFAULT)), length=st.integers(0, 40), new=st.binary(max_size=12))
@example(start=0, length=0, new=b"\xef\xbb\xbf")
@example(start=0, length=0, new=b"%YAML 9.9\n---\n")
@example(start=0, length=0, new=b"%TAG ! tag:x:\n--- ")
@example(start=0, length=10**6, new=b"!!set {a, b}")
@example(start=0, length=10**6, new=b"!!omap [a: 1]")
@example(start=0, length=10**6, new=b"? [a]\n: 1")
@example(start=0, length=10**6, new=b"? {a: 1}\n: 1")
@example(start=0, length=10**6, new=b"<<: [1]")
@example(start=0, length=10**6, new=b"a: !!binary =")
@example(start=0, length=10**6, new=b"a: !!timestamp x")
def test_bytes_changed_anywhere(tmp_path_factory: Any, start: int, length: int, new: bytes) -> None:
    content = DEFAULT.encode()
    read(content[:start] + new + content[start + length :], tmp_path_factory.mktemp("params"))


@settings(max_examples=fuzz_examples(200), deadline=None)
@given(place=st.sampled_from(places(VALUES)), new=ODD)
def test_a_value_of_any_kind_at_any_key(place: tuple[Any, ...], new: Any) -> None:
    values = parse_yaml(DEFAULT, name="default.yaml")
    parent = values
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = new
    try:
        params = parse_params(values, name="params.yaml")
    except ParamsError as error:
        line = explain(error)
        assert line
        assert line.isprintable()
        assert str(place[0]) in line
    else:
        assert parse_params(params.model_dump(), name="again") == params


@settings(max_examples=fuzz_examples(50), deadline=None)
@given(
    seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5, unique=True),
    title=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=10),
    labels=st.dictionaries(st.one_of(st.integers(), st.text("abc", min_size=1)), st.text("xyz"), max_size=3),
)
def test_good_values_are_read(tmp_path_factory: Any, seeds: list[int], title: str, labels: dict[Any, str]) -> None:
    from pipeline.yaml_edit import flow_snippet, set_value

    text = set_value(DEFAULT, ["seeds"], flow_snippet(seeds), seeds)
    text = set_value(text, ["report", "title"], flow_snippet(title), title)
    text = set_value(text, ["download", "dataset", "labels"], flow_snippet(labels), labels)
    params = read(text.encode(), tmp_path_factory.mktemp("params"))
    assert params is not None
    assert (params.seeds, params.report.title, params.download.dataset.labels) == (seeds, title, labels)
