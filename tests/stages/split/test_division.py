"""Every row stands in one split at most, each class has its share, and what belongs together stays together."""

import contextlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.errors import DataError
from stages.schema import Split
from stages.split import division
from stages.split.division import write_positions
from stages.split_inputs import SplitInputs
from stages.targets.target import Target

LABELS = ["a", "b", "c"]
SHARES = {
    "method": "stratified",
    "val": 0.1,
    "test": 0.1,
    "seed": 1,
    "duplicates": "together",
    "train_fraction": 1.0,
    "max_leak": 1.0,
}


def divide(rows: SplitInputs, labels: list[str], options: Split) -> Any:
    return division.divide(rows, Target("classes", labels), options)


def inputs(label, text_key=None, group=None, split=None, cluster=None, content=None) -> SplitInputs:
    rows = len(label)
    return SplitInputs(
        cluster=np.full(rows, -1) if cluster is None else np.asarray(cluster, dtype=np.int64),
        content=np.arange(rows) if content is None else np.asarray(content, dtype=np.int64),
        label=np.asarray(label, dtype=np.int64),
        text_key=np.arange(rows) if text_key is None else np.asarray(text_key, dtype=np.int64),
        group=np.full(rows, -1) if group is None else np.asarray(group, dtype=np.int64),
        split=split or [None] * rows,
    )


def test_exact_and_stratified():
    label = np.repeat([0, 1, 2], [700, 200, 101])
    positions, stats = divide(inputs(label), LABELS, Split(**SHARES))
    assert sorted(np.concatenate(list(positions.values()))) == list(range(1_001))
    assert [len(positions[name]) for name in ("train", "val", "test")] == [799, 101, 101]
    for name in ("val", "test"):
        assert np.abs(np.bincount(label[positions[name]]) - np.array([70, 20, 10])).max() <= 1
        assert stats[name]["labels"] == dict(zip(LABELS, np.bincount(label[positions[name]]).tolist(), strict=True))
        assert (np.diff(positions[name]) > 0).all()


def test_a_rare_class_has_a_row_in_every_split():
    label = np.repeat([0, 1, 2], [500, 4, 3])
    _, stats = divide(inputs(label), LABELS, Split(**SHARES))
    assert all(stats[name]["labels"][rare] >= 1 for name in ("train", "val", "test") for rare in "bc")


def test_seed_decides():
    label = np.arange(300) % 3
    first, again, other = (divide(inputs(label), LABELS, Split(**{**SHARES, "seed": seed}))[0] for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["test"], other["test"])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    groups=st.sampled_from([0, 150, 300]),
    share=st.sampled_from([0.1, 0.2, 0.3]),
    method=st.sampled_from(["stratified", "hash"]),
)
def test_components_stay_in_one_split_and_nothing_leaks(seed, groups, share, method):
    generator = np.random.default_rng(seed)
    label = generator.integers(0, 3, 600)
    key = generator.integers(0, 500, 600)
    group = generator.integers(-600, groups, 600).clip(-1) if groups else np.full(600, -1)
    cluster = np.where(key % 10 == 3, key // 50, -1)
    columns = inputs(label, key, group, cluster=cluster, content=np.where(group >= 0, group + 10_000, key))
    positions, stats = divide(columns, LABELS, Split(**{**SHARES, "test": share, "method": method}))
    split = np.full(600, "left out", dtype=object)
    for name, rows in positions.items():
        split[rows] = name
    for values in (key, group, cluster):
        for value in np.unique(values[values >= 0]):
            assert len(set(split[values == value]) - {"left out"}) <= 1
    assert stats["leak"]["share"] == 0
    assert stats["left_out_as_leak"] == (split == "left out").sum()
    if method == "stratified":
        assert stats["left_out_as_leak"] == 0


def test_groups_are_stratified_as_well_as_they_allow():
    generator = np.random.default_rng(0)
    group = np.repeat(np.arange(100), 10)
    label = (generator.random(1_000) < np.repeat(generator.random(100), 10)).astype(np.int64)
    positions, _ = divide(inputs(label, group=group), LABELS[:2], Split(**SHARES))
    for name in ("val", "test"):
        assert len(positions[name]) == pytest.approx(100, abs=15)
        assert label[positions[name]].mean() == pytest.approx(label.mean(), abs=0.05)


def test_official_splits_are_kept_and_the_missing_one_comes_from_train():
    split = ["train"] * 100 + ["test"] * 20 + [None] * 10
    positions, stats = divide(inputs(np.arange(130) % 2, split=split), LABELS[:2], Split(**SHARES))
    assert positions["test"].tolist() == list(range(100, 120))
    assert len(positions["val"]) == 11
    assert not set(positions["val"]) & set(positions["test"])
    assert stats["official"] == ["train", "test"]


def test_all_official():
    split = ["train", "val", "test"] * 10
    positions, _ = divide(
        inputs([0, 0, 0, 1, 1, 1] * 5, split=split), LABELS[:2], Split(**{**SHARES, "val": 0.0, "test": 0.0})
    )
    assert positions["val"].tolist() == list(range(1, 30, 3))


def test_dropping_duplicates_keeps_what_is_measured():
    key = [0, 0, 1, 1, 2, 3, 4, 5]
    split = ["train", "test", "train", "train", "val", "val", "test", "train"]
    positions, stats = divide(
        inputs([0, 0, 1, 1, 0, 1, 1, 0], key, split=split), LABELS[:2], Split(**{**SHARES, "duplicates": "drop"})
    )
    assert positions["test"].tolist() == [1, 6]
    assert positions["train"].tolist() == [2, 7]
    assert stats["duplicates_dropped"] == 2


def test_keeping_duplicates_lets_them_fall_as_they_fall():
    label, key = np.arange(400) % 2, np.arange(400) // 4
    positions, _ = divide(inputs(label, key), LABELS[:2], Split(**{**SHARES, "duplicates": "keep"}))
    assert set(key[positions["test"]]) & set(key[positions["train"]])


def test_a_fraction_of_train_is_stratified_and_nested():
    label = np.repeat([0, 1], [900, 100])
    half, quarter = (
        divide(inputs(label), LABELS[:2], Split(**{**SHARES, "train_fraction": share})) for share in (0.5, 0.25)
    )
    assert np.bincount(label[half[0]["train"]]).tolist() == [360, 40]
    assert set(quarter[0]["train"]) < set(half[0]["train"])
    assert np.array_equal(half[0]["test"], quarter[0]["test"])
    assert half[1]["train_left_out"] == 400


@pytest.mark.parametrize(
    ("arguments", "params", "message"),
    [
        (
            {"label": [0, 0, 0, 0, 1, 1]},
            {},
            r"A class needs rows for train, val and test \(split.* stratified\), but: 'b' has 2 rows. Add rows, join",
        ),
        (
            {"label": [0, 1] * 9},
            {"val": 0.0},
            r"split.val is 0, and no file has split: val. Set split.val, or give a file",
        ),
        ({"label": [0, 1] * 9}, {"test": 0.0}, r"split.test is 0, and no file has split: test"),
        ({"label": [0, 1] * 6, "group": [0, 1] * 6}, {}, r"the 6 rows of 'a' belong to 1 group.*columns.group: null"),
        ({"label": [0, 1], "split": ["val", "test"]}, {}, r"train has no row: each file has split: val or test"),
    ],
)
def test_a_class_without_a_row_is_a_clear_error(arguments, params, message):
    with pytest.raises(DataError, match=message):
        divide(inputs(**arguments), LABELS[:2], Split(**{**SHARES, **params}))


def test_a_hash_never_moves_a_row_when_others_come():
    generator = np.random.default_rng(0)
    label, content = np.arange(3_000) % 3, generator.integers(-(2**62), 2**62, 3_000)
    settings = {**SHARES, "method": "hash"}
    before, _ = divide(inputs(label[:2_000], content[:2_000], content=content[:2_000]), LABELS, Split(**settings))
    order = generator.permutation(3_000)
    after, _ = divide(inputs(label[order], content[order], content=content[order]), LABELS, Split(**settings))
    for name in ("train", "val", "test"):
        assert set(before[name]) == {row for row in order[after[name]] if row < 2_000}
    assert len(after["test"]) == pytest.approx(300, abs=60)
    other, _ = divide(inputs(label, content, content=content), LABELS, Split(**{**settings, "seed": 2}))
    assert len(set(other["test"]) & set(order[after["test"]])) < 100


def test_rows_of_a_component_that_a_hash_divides_are_left_out_of_train():
    content = np.arange(600)
    near = np.where(content < 60, content % 2, -1)
    rows = inputs(content % 2, content, cluster=near, content=content)
    together, stats = divide(rows, LABELS[:2], Split(**{**SHARES, "method": "hash"}))
    kept, leaky = divide(rows, LABELS[:2], Split(**{**SHARES, "method": "hash", "duplicates": "keep"}))
    assert set(together["test"]) == set(kept["test"]), "what is measured does not depend on what train has"
    assert set(together["train"]) < set(kept["train"])
    assert stats["left_out_as_leak"] > 0
    assert stats["leak"]["share"] == 0 < leaky["leak"]["share"]


def test_source_takes_the_official_splits_alone():
    split = ["train", "val", "test"] * 4
    positions, stats = divide(
        inputs([0, 0, 0, 1, 1, 1] * 2, split=split), LABELS[:2], Split(**{**SHARES, "method": "source"})
    )
    assert positions["train"].tolist() == [0, 3, 6, 9]
    assert stats["official"] == ["train", "val", "test"]


def test_leaks_of_official_splits_are_counted_and_gated():
    split = ["train"] * 4 + ["val"] * 4 + ["test"] * 4
    rows = inputs(
        [0, 1] * 6,
        text_key=[0, 1, 2, 3, 0, 5, 6, 7, 8, 5, 10, 11],
        cluster=[-1, -1, 2, -1, -1, -1, -1, -1, -1, -1, 2, -1],
        group=[-1, -1, -1, 1, -1, -1, -1, -1, -1, -1, -1, 1],
        split=split,
    )
    settings = {**SHARES, "method": "source"}
    _, stats = divide(rows, LABELS[:2], Split(**settings))
    assert stats["leak"] == {
        "same_text": {"val": 1, "test": 1},
        "nearly_same_text": {"val": 0, "test": 1},
        "same_group": {"val": 0, "test": 1},
        "share": 0.5,
    }
    message = r"50.00% of the rows of val and test are in another .* text: 1 rows of val, 1 of test; .*max_leak is 0.2"
    with pytest.raises(DataError, match=message):
        divide(rows, LABELS[:2], Split(**{**settings, "max_leak": 0.2}))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (["train", "val"] * 4, r"source, but no file with rows that are used has split: test\. Give a file this split"),
        ([None] * 8, r"source, but no file with rows that are used has split: train or val or test"),
        (["train", "val", "test", None] * 2, r"split.method is source, but 2 rows come from files without a split"),
    ],
)
def test_source_needs_every_split(split, message):
    with pytest.raises(DataError, match=message):
        divide(inputs([0, 1] * 4, split=split), LABELS[:2], Split(**{**SHARES, "method": "source"}))


def test_positions_are_one_column(tmp_path):
    write_positions(tmp_path / "train.parquet", np.array([1, 4]))
    table = pq.read_table(tmp_path / "train.parquet")
    assert table.schema == pa.schema([("position", pa.int64())])
    assert table.column("position").to_pylist() == [1, 4]


def test_all_of_the_statistics() -> None:
    split = ["train"] * 6 + ["test"] * 3 + ["val"] * 3
    key = [0, 1, 2, 3, 4, 0, 6, 7, 1, 9, 10, 11]
    rows = inputs([0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1], key, split=split)
    positions, stats = divide(rows, LABELS[:2], Split(**{**SHARES, "method": "source", "duplicates": "drop"}))
    assert {name: array.tolist() for name, array in positions.items()} == {
        "train": [0, 2, 3, 4],
        "val": [9, 10, 11],
        "test": [6, 7, 8],
    }
    none = {"val": 0, "test": 0}
    assert stats == {
        "rows": 12,
        "train": {"rows": 4, "labels": {"a": 3, "b": 1}},
        "val": {"rows": 3, "labels": {"a": 2, "b": 1}},
        "test": {"rows": 3, "labels": {"a": 1, "b": 2}},
        "official": ["train", "val", "test"],
        "duplicates_dropped": 2,
        "left_out_as_leak": 0,
        "train_left_out": 0,
        "notes": [],
        "leak": {"same_text": none, "nearly_same_text": none, "same_group": none, "share": 0.0},
    }


def test_one_row_of_a_rare_class_is_enough_in_a_fraction_of_train() -> None:
    label = np.repeat([0, 1], [96, 4])
    split = ["train"] * 100 + ["val", "test"] * 2
    rows = inputs([*label, 0, 0, 1, 1], split=split)
    _, stats = divide(rows, LABELS[:2], Split(**{**SHARES, "train_fraction": 0.1}))
    assert stats["train"] == {"rows": 11, "labels": {"a": 10, "b": 1}}


def test_groups_numbered_zero_stay_together() -> None:
    group = np.where(np.arange(100) < 20, 0, -1)
    positions, _ = divide(
        inputs(np.arange(100) % 2, group=group), LABELS[:2], Split(**{**SHARES, "duplicates": "keep"})
    )
    assert sum(0 in group[rows] for rows in positions.values()) == 1


@pytest.mark.parametrize("rows", [6, 60])
def test_a_hash_that_leaves_val_and_test_empty_is_said(rows: int) -> None:
    problems = []
    for seed in range(60):
        shares = {"val": 0.01, "test": 0.01} if rows == 60 else {}
        options = Split(**{**SHARES, **shares, "method": "hash", "seed": seed})
        with contextlib.suppress(DataError):
            divide(inputs(np.arange(rows) % 2), LABELS[:2], options)
            continue
        problems.append(seed)
    assert len(problems) > 10


@pytest.mark.parametrize("share", [0.07, 0.14, 0.28, 0.55, 0.56, 0.1, 0.3, 0.7])
def test_a_fraction_of_train_has_as_many_rows_as_it_says(share: float) -> None:
    split = ["train"] * 100 + ["val", "test"]
    rows = inputs(np.zeros(102, dtype=np.int64), split=split)
    _, stats = divide(rows, LABELS[:1], Split(**{**SHARES, "train_fraction": share}))
    assert stats["train"]["rows"] == round(100 * share)
