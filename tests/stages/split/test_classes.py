"""Classes that a split lacks: an error that names the cause where rows could be divided otherwise, else a note."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.class_rows import require_class_rows_of_file
from stages.errors import DataError
from stages.schema import Split
from stages.split.classes import check_classes
from tests.stages.split.test_division import LABELS, SHARES, divide, inputs

CAUSES = ["rows", "groups", "duplicates: together", "duplicates: drop", "near duplicates"]
SETS = [["train"], ["train", "val"], ["train", "test"], ["train", "val", "test"]]


def options(**values: Any) -> Split:
    return Split(**{**SHARES, **values})


def official(splits: dict[str, str]) -> dict[str, Any]:
    """Labels and official splits from strings of labels, such as `{"train": "abab", "test": "a"}`."""
    rows = [(LABELS.index(label), name) for name, labels in splits.items() for label in labels]
    return {"label": [label for label, _ in rows], "split": [name or None for _, name in rows]}


@pytest.mark.parametrize("method", ["stratified", "source"])
@pytest.mark.parametrize(
    ("splits", "notes"),
    [
        (
            {"train": "abcabc", "val": "abc", "test": "ab"},
            ["test (2 rows), as given by the files, has no row of 'c', so it can't"],
        ),
        (
            {"train": "abcabc", "val": "ab", "test": "abc"},
            ["val (2 rows), as given by the files, has no row of 'c', so it can't"],
        ),
        (
            {"train": "abcabc", "val": "abc", "test": "bbb"},
            ["test (3 rows), as given by the files, has no row of 'a', 'c'"],
        ),
        (
            {"train": "abcabc", "val": "abc", "test": "b"},
            ["test (1 row), as given by the files, has no row of 'a', 'c'"],
        ),
        ({"train": "abcabc", "val": "b", "test": "a"}, ["val (1 row), as given", "test (1 row), as given"]),
        ({"train": "ababab", "val": "ab", "test": "abc"}, ["val (2 rows), as given", "train has no row of 'c'"]),
        ({"train": "ababab", "val": "abc", "test": "ab"}, ["test (2 rows), as given", "train has no row of 'c'"]),
        ({"train": "aabb", "val": "abc", "test": "abc"}, ["train has no row of 'c', which val or test have"]),
        ({"train": "abc", "val": "abc", "test": "abc"}, []),
    ],
)
def test_a_given_split_is_measured_as_it_is(splits: dict[str, str], notes: list[str], method: str) -> None:
    positions, stats = divide(inputs(**official(splits)), LABELS, options(method=method))
    assert {name: len(rows) for name, rows in positions.items()} == {name: len(rows) for name, rows in splits.items()}
    assert len(stats["notes"]) == len(notes)
    for given, start in zip(stats["notes"], notes, strict=True):
        assert given.startswith(start)


@pytest.mark.parametrize("given", ["val", "test"])
def test_the_split_that_is_taken_from_the_rows_has_every_class_that_train_has(given: str) -> None:
    rows = inputs(**official({"": "abc" * 20, given: "ab"}))
    positions, stats = divide(rows, LABELS, options())
    (other,) = {"val", "test"} - {given}
    assert set(rows.label[positions[other]]) == {0, 1, 2}
    assert [note.split(" ")[0] for note in stats["notes"]] == [given]


@pytest.mark.parametrize(
    ("fraction", "advice"), [(0.1, "Set a larger split.train_fraction."), (1.0, "Rows that share")]
)
def test_a_train_set_cut_too_small_names_what_cut_it(fraction: float, advice: str) -> None:
    counts = {"train": np.array([2, 0]), "val": np.array([5, 5]), "test": np.array([5, 5])}
    with pytest.raises(DataError, match=rf"train \(2 rows\) has no row of 'b'\. {advice}"):
        check_classes(
            counts,
            np.array([50, 50]),
            ["a", "b"],
            shares={"val": 0.1, "test": 0.1},
            method="stratified",
            train_fraction=fraction,
        )


@pytest.mark.parametrize("method", ["stratified", "hash"])
@pytest.mark.parametrize(
    ("files", "cause"),  # where train alone needs a row, a class has it, unless its text is dropped
    [(files, cause) for files in SETS for cause in CAUSES if len(files) < 3 or cause == "duplicates: drop"],
)
def test_too_few_rows_that_can_be_divided_are_an_error_with_the_cause(
    files: list[str], cause: str, method: str
) -> None:
    """One less than the splits that are taken from the rows need; with as many it passes (see the next test)."""
    needed = 1 + len({"val", "test"} - set(files))
    rows, settings = _few_units(files, cause, needed - 1)
    with pytest.raises(DataError) as error:
        divide(inputs(**rows), LABELS, options(method=method, **settings))
    advice = {
        "rows": "rare_label: set_aside and min_rows_per_label: ",
        "groups": "columns.group: null",
        "duplicates: together": "split.duplicates: together keeps such texts in one split: set split.duplicates: keep",
        "duplicates: drop": "split.duplicates: drop keeps one row of such texts: set split.duplicates: keep",
        "near duplicates": "near_duplicate: ignore",
    }
    assert advice[cause] in str(error.value)
    assert "'c'" in str(error.value)
    assert "'a'" not in str(error.value)


@pytest.mark.parametrize("files", SETS)
@pytest.mark.parametrize("cause", CAUSES)
def test_as_many_rows_as_splits_are_enough(files: list[str], cause: str) -> None:
    needed = 1 + len({"val", "test"} - set(files))
    rows, settings = _few_units(files, cause, needed)
    positions, _ = divide(inputs(**rows), LABELS, options(**settings))
    label = np.array(rows["label"])
    assert all(2 in label[positions[name]] for name in {"train", "val", "test"} - set(files[1:]))


def _few_units(files: list[str], cause: str, units: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sixty rows of a and of b, and rows of c that can be divided into `units` parts."""
    count = units if cause == "rows" else 60
    label = [0] * 60 + [1] * 60 + [2] * count
    split: list[str | None] = ["train"] * len(label)
    unit = [*range(120), *(120 + row % max(units, 1) for row in range(count))]
    key, settings = list(range(len(label))), {}
    columns: dict[str, Any] = {}
    if cause == "groups":
        columns["group"] = [-1] * 120 + unit[120:]
    elif cause == "near duplicates":
        columns["cluster"] = [-1] * 120 + unit[120:]
    elif cause != "rows":
        key, settings = unit, {"duplicates": cause.split(": ")[1]}
    for name in files[1:]:
        label += [0, 1, 2]
        split += [name] * 3
        key += [len(label) + 1_000 + number for number in range(3)]
        if cause == "duplicates: drop" and not units:
            key[-1] = 120  # the only text of c in train
        for column in columns.values():
            column += [-1] * 3
    return {"label": label, "split": split, "text_key": key, **columns}, settings


def test_a_text_of_the_cluster_is_shown_when_the_rows_are_read(tmp_path) -> None:
    texts = [f"a {row}" for row in range(60)] + [f"Your code is 10{row}" for row in range(60)]
    columns = {
        "text": pa.array(texts),
        "label": pa.array(["a"] * 60 + ["code"] * 60),
        "text_key": pa.array(range(120), pa.int64()),
        "cluster": pa.array([None] * 60 + [60] * 60, pa.int64()),
        "group": pa.array([None] * 120, pa.string()),
        "split": pa.array([None] * 120, pa.string()),
    }
    table = pa.table(columns, metadata={"labels": json.dumps(["code", "a"])})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=50)
    message = (
        "A class needs rows for train, val and test (split.method: stratified), but: the 60 rows of 'code' form one "
        "cluster of nearly equal texts, such as 'Your code is 100'. split.duplicates: together keeps such texts in "
        "one split: set split.duplicates: keep to divide them (val and test then repeat texts of train), or "
        "download.dataset.checks.near_duplicate: ignore to treat them as different texts, or add rows with other texts."
    )
    with pytest.raises(DataError) as error:
        require_class_rows_of_file(tmp_path / "rows.parquet", options())
    assert str(error.value) == message
    require_class_rows_of_file(tmp_path / "rows.parquet", options(duplicates="keep"))


@pytest.mark.parametrize("units", [3, 4, 5, 8])
@pytest.mark.parametrize("size", [2, 20])
@pytest.mark.parametrize("seed", range(5))
def test_each_split_gets_a_part_of_a_class_that_has_enough_of_them(units: int, size: int, seed: int) -> None:
    label = [0] * 200 + [1] * units * size
    cluster = [-1] * 200 + [200 + row // size for row in range(units * size)]
    positions, _ = divide(inputs(label, cluster=cluster), LABELS[:2], options(seed=seed))
    assert all(1 in np.array(label)[rows] for rows in positions.values())
    assert sorted(np.concatenate(list(positions.values()))) == list(range(len(label)))


@pytest.mark.parametrize(("classes", "rows", "noted"), [(20, 3, True), (20, 30, False), (2, 30, False), (3, 3, True)])
def test_a_split_that_is_far_larger_than_its_share_is_noted(classes: int, rows: int, noted: bool) -> None:
    labels = [f"class {number}" for number in range(classes)]
    _, stats = divide(inputs(np.repeat(np.arange(classes), rows)), labels, options())
    notes = [note for note in stats["notes"] if f"has {classes} of {classes * rows} rows, though split." in note]
    assert len(notes) == (2 if noted else 0)
    assert len(stats["notes"]) == len(notes)


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("rare", [1, 2, 3])
def test_a_fraction_of_train_has_every_class(fraction: float, rare: int) -> None:
    rows = inputs(**official({"train": "ab" * 50 + "c" * rare, "val": "abc", "test": "abc"}))
    positions, stats = divide(rows, LABELS, options(train_fraction=fraction))
    assert set(rows.label[positions["train"]]) == {0, 1, 2}
    assert stats["train"]["labels"]["c"] >= 1


def test_a_hash_that_leaves_a_class_out_names_the_other_method() -> None:
    rows = inputs([0] * 60 + [1] * 3, content=[*range(60), 7, 7, 7])
    with pytest.raises(DataError, match=r"no row of 'b'. split.method: hash leaves it to chance .*: stratified"):
        divide(rows, LABELS[:2], options(method="hash"))


@pytest.mark.parametrize(("val", "notes"), [(0, ["val has no row, though split.val is 0.1"]), (3, [])])
def test_a_split_of_numbers_without_rows_is_noted(val: int, notes: list[str]) -> None:
    counts = {"train": np.array([5, 5]), "val": np.array([val, 0]), "test": np.array([1, 1])}
    found = check_classes(
        counts,
        np.array([6, 6]),
        ["low", "high"],
        shares={"val": 0.1, "test": 0.1},
        method="hash",
        in_every_split=False,
        sizes={name: int(rows.sum()) for name, rows in counts.items()},
    )
    assert [note.partition(":")[0] for note in found] == notes
