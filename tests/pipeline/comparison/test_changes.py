"""What differs between two revisions: parameters, code, rows."""

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from pipeline.comparison.changes import (
    MISSING,
    Changes,
    DataChange,
    changed_code,
    changed_params,
    changed_rows,
    find_changes,
    flatten,
)
from pipeline.comparison.revision_files import FILES
from stages.errors import UnavailableError
from stages.targets.target import Target


def test_params_are_compared_by_dotted_key() -> None:
    result = changed_params({"a": {"b": 1, "c": [1]}, "d": 2}, {"a": {"b": 1.5, "c": [1]}, "e": {}})
    assert result == {"a.b": (1, 1.5), "e": (MISSING, {}), "d": (2, MISSING)}
    assert list(result) == ["a.b", "e", "d"]  # head's order, then what only base has


def test_null_is_a_value_and_no_missing_key() -> None:
    assert changed_params({"a": None}, {"b": None}) == {"b": (MISSING, None), "a": (None, MISSING)}
    assert changed_params({"a": None}, {"a": None}) == {}


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("base", "head", "changed"),
    [
        ({}, {"pos": "neg", "neg": "pos"}, {"a.labels.pos": (MISSING, "neg"), "a.labels.neg": (MISSING, "pos")}),
        ({}, {"x": {"y": 1}}, {"a.labels.x.y": (MISSING, 1)}),
        ({"x": {}}, {"x": {"y": 1}}, {"a.labels.x.y": (MISSING, 1)}),
        ({}, {"x": {}}, {"a.labels.x": (MISSING, {})}),
        ({}, {}, {}),
        ("none", {"x": 1}, {"a.labels": ("none", {"x": 1})}),
        (None, {"x": {"y": 1}}, {"a.labels": (None, {"x": {"y": 1}})}),
        (None, {}, {"a.labels": (None, {})}),
    ],
)
def test_a_section_that_both_sides_have_is_never_called_missing(
    base: object, head: object, changed: dict[str, tuple[object, object]], swapped: bool
) -> None:
    sides = ({"a": {"labels": base}}, {"a": {"labels": head}})
    if swapped:
        sides, changed = sides[::-1], {key: pair[::-1] for key, pair in changed.items()}
    assert changed_params(*sides) == changed


def test_machine_settings_are_no_change() -> None:
    assert changed_params({"a": 1, "machine": {"num_workers": 0}}, {"a": 1, "machine": {"num_workers": 4}}) == {}


def test_nested_values_get_dotted_keys_and_lists_stay_whole() -> None:
    assert flatten({"a": {"b": {"c": 1}}, "d": [{"e": 2}], "f": {}}) == {"a.b.c": 1, "d": [{"e": 2}], "f": {}}


def test_code_is_compared_by_stage_and_a_new_seed_is_no_change() -> None:
    base = {"finetune@1": {"x.py": "1", "y.py": "1"}, "split": {"z.py": "1"}}
    head = {"finetune@1": {"x.py": "2", "y.py": "1"}, "finetune@2": {"x.py": "2"}, "split": {"z.py": "1", "w.py": "1"}}
    assert changed_code(base, head) == {"finetune": ["x.py"], "split": ["w.py"]}


def test_code_of_two_seeds_is_listed_once_and_sorted() -> None:
    base = {"finetune@1": {"b.py": "1"}, "finetune@2": {"a.py": "1", "b.py": "1"}}
    head = {"finetune@1": {"b.py": "2"}, "finetune@2": {"b.py": "2"}}
    assert changed_code(base, head) == {"finetune": ["a.py", "b.py"]}


def test_rows_are_compared_by_id() -> None:
    base = pa.table({"id": ["a", "b", "c", "d"], "text": ["1", "2", "3", "4"], "label": ["x", "x", "y", "y"]})
    head = pa.table({"id": ["e", "d", "b", "a"], "text": ["5", "4!", "2", "1"], "label": ["y", "y", "y", "x"]})
    result = changed_rows(base, head)
    assert (result.known, result.rows) == (True, (4, 4))
    assert (result.added, result.removed) == ({"y": 1}, {"y": 1})
    assert (result.relabelled, result.rewritten) == ({"x -> y": 1}, {"y": 1})
    assert result.any
    assert not changed_rows(base, base).any


def test_the_second_text_of_a_pair_counts_and_none_is_no_text() -> None:
    def table(pairs: list[str | None]) -> pa.Table:
        texts = pa.array(pairs, pa.string())
        return pa.table({"id": ["a", "b"], "text": ["1", "2"], "text_pair": texts, "label": ["x", "y"]})

    assert changed_rows(table([None, "p"]), table([None, "q"])).rewritten == {"y": 1}
    assert changed_rows(table([None, "p"]), table(["n", "p"])).rewritten == {"x": 1}
    assert not changed_rows(table([None, "p"]), table(["", "p"])).any
    texts = table([None, "p"]).set_column(1, "text", pa.array(["1", "2!"]))
    assert changed_rows(table([None, "p"]), texts).rewritten == {"y": 1}  # the first text counts as well
    assert changed_rows(table([None, "p"]), texts.drop_columns("text_pair")).rewritten == {"y": 1}
    assert not changed_rows(table([None, "p"]), table([None, "p"]).drop_columns("text_pair")).any


def test_several_relabelled_rows_are_counted_by_their_labels() -> None:
    base, head = ["x", "x", "y", "x"], ["y", "z", "x", "y"]
    tables = [pa.table({"id": list("abcd"), "text": list("1234"), "label": labels}) for labels in (base, head)]
    assert list(changed_rows(*tables).relabelled.items()) == [("x -> y", 2), ("x -> z", 1), ("y -> x", 1)]


ROWS = pa.table({"id": ["a", "b"], "text": ["1", "2"], "label": ["x", "y"]})
STATS = {"train": {"rows": 8}, "val": {"rows": 1}, "test": {"rows": 2}, "seconds": 3.0}


def revision(
    hashes: dict[str, str], *, rows: pa.Table | None = None, stats: object = STATS, seeds: tuple[int, ...] = (1,)
) -> Any:
    """A revision without files: `rows` is None where the data set is in no cache."""

    def read_rows() -> pa.Table:
        if rows is None:
            raise UnavailableError("no remote is configured")
        return rows

    return SimpleNamespace(
        params_of_results={"seeds": list(seeds)},
        code=dict,
        hash=hashes.get,
        rows=read_rows,
        target=Target("classes", ["x", "y"]),
        json={FILES.split_stats: stats}.get,
        seeds=list(seeds),
    )


DATASET = FILES.dataset.as_posix()


@pytest.mark.parametrize(
    ("base", "head", "expected"),
    [
        (revision({DATASET: "1"}), revision({DATASET: "1"}), DataChange(True, (11, 11))),  # equal: not read
        (revision({DATASET: "1"}), revision({DATASET: "1"}, stats={}), DataChange(True, (None, None))),
        (revision({DATASET: "1"}), revision({DATASET: "2"}, stats={}), DataChange(False, (11, None))),
        (revision({}), revision({}), DataChange(False, (11, 11))),  # no hash on either side: unknown, not equal
        (
            revision({DATASET: "1"}, rows=ROWS),
            revision({DATASET: "2"}, rows=ROWS.slice(1)),
            DataChange(True, (2, 1), removed={"x": 1}),
        ),
    ],
)
def test_data_is_unknown_only_where_it_differs_and_can_not_be_read(base: Any, head: Any, expected: DataChange) -> None:
    assert find_changes(base, head).data == expected


def test_models_that_differ_are_named_with_both_hashes() -> None:
    encoder, champion = FILES.encoder.as_posix(), (FILES.report / "model").as_posix()
    first, second, third = (FILES.finetuned(seed).as_posix() for seed in (1, 2, 3))
    base = revision({encoder: "e", champion: "c", first: "1", second: "2"}, seeds=(1, 2))
    head = revision({encoder: "E", champion: "c", first: "1!", third: "3"}, seeds=(1, 3))
    changes = find_changes(base, head)
    assert changes.models == {
        "encoder": ("e", "E"),
        "seed 1": ("1", "1!"),
        "seed 2": ("2", None),
        "seed 3": (None, "3"),
    }
    assert changes.params == {"seeds": ([1, 2], [1, 3])}


def test_any_kind_of_change_is_a_change() -> None:
    same = DataChange(known=True, rows=(1, 1))
    assert not Changes({}, {}, same, {}).any
    assert Changes({"a": (1, 2)}, {}, same, {}).any
    assert Changes({}, {"split": ["x.py"]}, same, {}).any
    assert Changes({}, {}, same, {"encoder": (None, "1")}).any
    for kind in ("added", "removed", "relabelled", "rewritten"):
        assert Changes({}, {}, DataChange(True, (1, 1), **{kind: {"x": 1}}), {}).any
