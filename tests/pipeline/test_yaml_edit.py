"""A value is set in any layout of YAML: the file then holds exactly that value, and every other comment is there."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from dvc.utils.serialize import parse_yaml as dvc_yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.yaml_edit import Snippet, expand_aliases, find_snippet, flow_snippet, set_value
from stages.errors import RetuneError
from stages.yaml_file import parse_yaml
from tests.conftest import fuzz_examples

KEYS = st.sampled_from(["a", "b", "key", "ä", "x y", "0", "null", "a.b"])
TEXTS = st.one_of(
    st.sampled_from(["", "a: b", "# no", "x #y", "- z", "*", "&a", "it's", "a\nb\n", "1", "true"]), st.text(max_size=5)
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
).filter(lambda value: readable(value))
Path = tuple[str | int, ...]


def readable(value: Any) -> bool:
    """Whether YAML can hold every text of a value."""
    if isinstance(value, dict):
        return all(map(readable, value.values()))
    if isinstance(value, list):
        return all(map(readable, value))
    return not isinstance(value, str) or not any(0xD800 <= ord(letter) <= 0xDFFF for letter in value)


class Writer:
    """Writes a value in a layout that is drawn; notes the comments with the section that each belongs to."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        self._draw = draw
        self.comments: dict[str, Path] = {}

    def document(self, value: dict[str, Any]) -> str:
        start = self._lines(())
        text = "".join([*start, *self._block(value, (), 0)])
        newline = self._draw(st.sampled_from(["\n", "\n", "\r\n"]))
        return (text if self._draw(st.booleans()) else text.rstrip("\n")).replace("\n", newline)

    def _block(self, value: Any, path: Path, indent: int) -> list[str]:
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        lines: list[str] = []
        for step, item in entries:
            lines += self._lines(path) if lines else []
            place = (*path, step)
            head = f"{flow_snippet(step).text}:" if isinstance(value, dict) else "-"
            if isinstance(item, dict | list) and item and self._draw(st.booleans()):
                deeper = indent + self._draw(st.sampled_from([1, 2, 4]))
                if isinstance(value, dict) and isinstance(item, list) and self._draw(st.booleans()):
                    deeper = indent  # a list may begin below its key
                lines += [f"{' ' * indent}{head}{self._comment(path)}\n", *self._lines(place, first=True)]
                lines += self._block(item, place, deeper)
            else:
                lines.append(f"{' ' * indent}{head} {self._scalar(item, indent)}{self._comment(path)}\n")
        return lines

    def _scalar(self, value: Any, indent: int) -> str:
        text = flow_snippet(value).text
        if value is None and self._draw(st.booleans()):
            return ""
        if isinstance(value, list | dict) and value and self._draw(st.booleans()):
            return f"{text[:1]}\n{' ' * (indent + 3)}{text[1:-1]}\n{' ' * (indent + 1)}{text[-1]}"
        return text

    def _comment(self, owner: Path) -> str:
        if not self._draw(st.booleans()):
            return ""
        comment = f"# comment {len(self.comments)}."
        self.comments[comment] = owner
        return f"  {comment}"

    def _lines(self, owner: Path, *, first: bool = False) -> list[str]:
        """Empty lines and comments on lines of their own; `first`: between a key and its value."""
        lines = []
        for _ in range(self._draw(st.integers(0, 2))):
            indent = " " * self._draw(st.integers(0, 3))
            comment = self._comment(owner if not first else owner[:-1]).strip()
            lines.append(f"{indent}{comment}\n")
        return lines


def places(value: Any, path: Path = ()) -> list[Path]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for step, item in steps for place in [(*path, step), *places(item, (*path, step))]]


@st.composite
def edits(draw: Callable[[Any], Any]) -> tuple[str, dict[str, Any], dict[str, Path], Path, Any]:
    value = draw(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
    writer = Writer(draw)
    text = writer.document(value)
    place = draw(st.sampled_from(places(value)))
    if draw(st.booleans()):
        parent = value
        for step in place[:-1]:
            parent = parent[step]
        if isinstance(parent, dict):
            place = (*place[:-1], "new")
    return text, value, writer.comments, place, draw(VALUES)


def changed(value: Any, place: Path, new: Any) -> Any:
    result = deepcopy(value)
    parent = result
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = new
    return result


@settings(max_examples=fuzz_examples(300), deadline=None)
@given(edits())
def test_any_value_in_any_layout(edit: tuple[str, dict[str, Any], dict[str, Path], Path, Any]) -> None:
    text, value, comments, place, new = edit
    assert parse_yaml(text, name="the layout") == value
    for written in (flow_snippet(new), find_snippet(f"x:\n  - {flow_snippet(new).text}\n", ["x", 0])):
        result = set_value(text, place, written or flow_snippet(new), new)
        assert parse_yaml(result, name="the result") == changed(value, place, new)
        for comment, owner in comments.items():
            assert comment in result or owner[: len(place)] == place


@settings(max_examples=fuzz_examples(100), deadline=None)
@given(edits(), st.dictionaries(KEYS, VALUES, min_size=1, max_size=3))
def test_a_value_is_taken_over_as_another_file_writes_it(
    edit: tuple[str, dict[str, Any], dict[str, Path], Path, Any], other: dict[str, Any]
) -> None:
    source, value, _, place, _ = edit
    if "new" in place:
        return
    target = "before: 1  # one\nkey: [1]  # two\nafter:\n  - 2  # three\n"
    new = value
    for step in place:
        new = new[step]
    result = set_value(target, ["key"], find_snippet(source, place) or flow_snippet(new), new)
    assert parse_yaml(result, name="the result") == {"before": 1, "key": new, "after": [2]}
    assert all(comment in result for comment in ("# one", "# two", "# three"))


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("a:  # note\n  - 1  # one\n  - 2\n# next\nb: 1\n", "[3]", "a: [3]  # note\n# next\nb: 1\n"),
        ("a:\n- 1\n# next\nb: 1\n", "[3]", "a: [3]\n# next\nb: 1\n"),
        ("a: [1]  # note\n# next\nb: 1\n", "- 1\n- 2", "a:  # note\n  - 1\n  - 2\n# next\nb: 1\n"),
        ("a:  # note\n  - 9\n# next\nb: 1\n", "- 1\n- 2", "a:  # note\n  - 1\n  - 2\n# next\nb: 1\n"),
        ("a: |\n  text\n  more\n# next\nb: 1\n", "c", "a: c\n# next\nb: 1\n"),
        ("a: &x [1]  # note\nb: *x\n", "2", "a: 2  # note\nb: [1]\n"),
        ("{a: 1, b: 2}\n", "[3]", "{a: [3], b: 2}\n"),
        ("b: 1  # b\n", "3", "b: 1  # b\na: 3\n"),
        ("a:\nb: 1\n", "3", "a: 3\nb: 1\n"),
        ("a:  # note\nb: 1\n", "3", "a: 3  # note\nb: 1\n"),
        ("? a\n: 1\nb: 1\n", "3", "? a\n: 3\nb: 1\n"),
    ],
)
def test_what_it_looks_like(before: str, value: str, after: str) -> None:
    new = parse_yaml(value, name="value")
    snippet = find_snippet(value, ()) or flow_snippet(new)
    assert set_value(expand_aliases(before), ["a"], snippet, new) == after


def test_numbers_and_quotes_stay_as_they_were_typed() -> None:
    assert find_snippet("a: 3e-5", ["a"]) == Snippet("3e-5")
    assert find_snippet("a: 'x'  # note", ["a"]) == Snippet("'x'")


@pytest.mark.parametrize("merge", ["<<: *base", "<<: [*base]"])
def test_merged_keys_are_the_same_after_aliases_are_gone(merge: str) -> None:
    text = f"base: &base {{x: 1, y: 2}}\nsection:\n  {merge}\n  y: 3\n"
    result = set_value(expand_aliases(text), ["base", "x"], Snippet("9"), 9)
    assert parse_yaml(result, name="") == {"base": {"x": 9, "y": 2}, "section": {"x": 1, "y": 3}}


ODD = [
    "https://e.com/a.csv?b=c",
    "hf://a/b",
    "C:/x",
    ":a",
    "a:",
    "?a",
    "a?b",
    "12:30",
    "{a",
    "a]",
    "a,b",
    "a #b",
    "'a",
    "<<",
]


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("within", [lambda text: text, lambda text: [{"source": text}], lambda text: {"k": [text]}])
def test_dvc_reads_what_is_written_and_what_is_taken_over(text: str, within: Callable[[str], Any]) -> None:
    """DVC's reader is libyaml, which takes less than ruamel.yaml does."""
    value = within(text)
    typed = f"a: {{b: {text}}}\n"
    taken = find_snippet(typed, ("a", "b")) if readable_by(parse_yaml, typed) == {"a": {"b": text}} else None
    for snippet, expected in ((flow_snippet(value), value), (taken, text)):
        for before in ("a:\n  b: 1\n", "a: {b: 1}\n"):
            if snippet:
                assert dvc_yaml(set_value(before, ("a", "b"), snippet, expected), "params.yaml") == {
                    "a": {"b": expected}
                }


def readable_by(read: Callable[..., Any], text: str) -> Any:
    try:
        return read(text, name="")
    except RetuneError:
        return None
