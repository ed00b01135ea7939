"""What differs between two revisions: parameters, code, rows."""

import pyarrow as pa

from pipeline.comparison.changes import (
    MISSING,
    Changes,
    DataChange,
    changed_code,
    changed_params,
    changed_rows,
    flatten,
)


def test_params_are_compared_by_dotted_key() -> None:
    result = changed_params({"a": {"b": 1, "c": [1]}, "d": 2}, {"a": {"b": 1.5, "c": [1]}, "e": {}})
    assert result == {"a.b": (1, 1.5), "e": (MISSING, {}), "d": (2, MISSING)}
    assert list(result) == ["a.b", "e", "d"]  # head's order, then what only base has


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
    assert result.rows == (4, 4)
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
    assert not changed_rows(table([None, "p"]), table([None, "p"]).drop_columns("text_pair")).any


def test_any_kind_of_change_is_a_change() -> None:
    same = DataChange(known=True, rows=(1, 1))
    assert not Changes({}, {}, same, {}).any
    assert Changes({"a": (1, 2)}, {}, same, {}).any
    assert Changes({}, {"split": ["x.py"]}, same, {}).any
    assert Changes({}, {}, same, {"encoder": (None, "1")}).any
    for kind in ("added", "removed", "relabelled", "rewritten"):
        assert Changes({}, {}, DataChange(True, (1, 1), **{kind: {"x": 1}}), {}).any
