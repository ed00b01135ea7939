"""Every row stands in one split at most, each class has its share, and what belongs together stays together."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.errors import DataError
from stages.split.division import RowFacts, divide, read_facts, write_positions

LABELS = ["a", "b", "c"]
SHARES = {"val": 0.1, "test": 0.1, "seed": 1, "duplicates": "together", "train_fraction": 1.0}


def facts(label, text_key=None, group=None, split=None) -> RowFacts:
    rows = len(label)
    return RowFacts(
        label=np.asarray(label, dtype=np.int64),
        text_key=np.arange(rows) if text_key is None else np.asarray(text_key, dtype=np.int64),
        group=np.full(rows, -1) if group is None else np.asarray(group, dtype=np.int64),
        split=split or [None] * rows,
    )


def test_exact_and_stratified():
    label = np.repeat([0, 1, 2], [700, 200, 101])
    positions, stats = divide(facts(label), LABELS, **SHARES)
    assert sorted(np.concatenate(list(positions.values()))) == list(range(1_001))
    assert [len(positions[name]) for name in ("train", "val", "test")] == [799, 101, 101]
    for name in ("val", "test"):
        assert np.abs(np.bincount(label[positions[name]]) - np.array([70, 20, 10])).max() <= 1
        assert stats[name]["labels"] == dict(zip(LABELS, np.bincount(label[positions[name]]).tolist(), strict=True))
        assert (np.diff(positions[name]) > 0).all()


def test_a_rare_class_has_a_row_in_every_split():
    label = np.repeat([0, 1, 2], [500, 4, 3])
    _, stats = divide(facts(label), LABELS, **SHARES)
    assert all(stats[name]["labels"][rare] >= 1 for name in ("train", "val", "test") for rare in "bc")


def test_seed_decides():
    label = np.arange(300) % 3
    first, again, other = (divide(facts(label), LABELS, **{**SHARES, "seed": seed})[0] for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["test"], other["test"])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([0.1, 0.2, 0.3]))
def test_units_never_straddle(seed, groups, share):
    generator = np.random.default_rng(seed)
    label = generator.integers(0, 3, 600)
    key = generator.integers(0, 400, 600)
    group = generator.integers(-1, groups, 600) if groups > 20 else np.full(600, -1)
    try:
        positions, _ = divide(facts(label, key, group), LABELS, **{**SHARES, "test": share})
    except DataError:
        return  # so few units that a class has none left for a split
    split = np.empty(600, dtype=object)
    for name, rows in positions.items():
        split[rows] = name
    for values in (key, group):
        for value in np.unique(values[values >= 0]):
            assert len(set(split[values == value])) == 1


def test_groups_are_stratified_as_well_as_they_allow():
    generator = np.random.default_rng(0)
    group = np.repeat(np.arange(100), 10)
    label = (generator.random(1_000) < np.repeat(generator.random(100), 10)).astype(np.int64)
    positions, _ = divide(facts(label, group=group), LABELS[:2], **SHARES)
    for name in ("val", "test"):
        assert len(positions[name]) == pytest.approx(100, abs=15)
        assert label[positions[name]].mean() == pytest.approx(label.mean(), abs=0.05)


def test_official_splits_are_kept_and_the_missing_one_comes_from_train():
    split = ["train"] * 100 + ["test"] * 20 + [None] * 10
    positions, stats = divide(facts(np.arange(130) % 2, split=split), LABELS[:2], **SHARES)
    assert positions["test"].tolist() == list(range(100, 120))
    assert len(positions["val"]) == 11
    assert not set(positions["val"]) & set(positions["test"])
    assert stats["official"] == ["train", "test"]


def test_all_official():
    split = ["train", "val", "test"] * 10
    positions, _ = divide(facts([0, 0, 0, 1, 1, 1] * 5, split=split), LABELS[:2], **{**SHARES, "val": 0.0, "test": 0.0})
    assert positions["val"].tolist() == list(range(1, 30, 3))


def test_dropping_duplicates_keeps_what_is_measured():
    key = [0, 0, 1, 1, 2, 3, 4, 5]
    split = ["train", "test", "train", "train", "val", "val", "test", "train"]
    positions, stats = divide(
        facts([0, 0, 1, 1, 0, 1, 1, 0], key, split=split), LABELS[:2], **{**SHARES, "duplicates": "drop"}
    )
    assert positions["test"].tolist() == [1, 6]
    assert positions["train"].tolist() == [2, 7]
    assert stats["duplicates_dropped"] == 2


def test_keeping_duplicates_lets_them_fall_as_they_fall():
    label, key = np.arange(400) % 2, np.arange(400) // 4
    positions, _ = divide(facts(label, key), LABELS[:2], **{**SHARES, "duplicates": "keep"})
    assert set(key[positions["test"]]) & set(key[positions["train"]])


def test_a_fraction_of_train_is_stratified_and_nested():
    label = np.repeat([0, 1], [900, 100])
    half, quarter = (divide(facts(label), LABELS[:2], **{**SHARES, "train_fraction": share}) for share in (0.5, 0.25))
    assert np.bincount(label[half[0]["train"]]).tolist() == [360, 40]
    assert set(quarter[0]["train"]) < set(half[0]["train"])
    assert np.array_equal(half[0]["test"], quarter[0]["test"])
    assert half[1]["train_left_out"] == 400


@pytest.mark.parametrize(
    ("arguments", "params", "message"),
    [
        ({"label": [0, 0, 0, 0, 1, 1]}, {}, r"classes without a row: .* \(\d rows\) has no row of 'b'. Give these"),
        ({"label": [0, 1] * 9}, {"val": 0.0}, r"split.val is 0 and no file is val. Set split.val, or give a file"),
        ({"label": [0, 1] * 9}, {"test": 0.0}, r"split.test is 0 and no file is test"),
        (
            {"label": [0, 1, 0, 1, 0, 0], "split": ["train"] * 2 + ["val"] * 2 + ["test"] * 2},
            {},
            r"test \(2 rows\) has no row of 'b'",
        ),
        ({"label": [0, 1] * 6, "group": [0, 1] * 6}, {}, r"has no row of"),
        ({"label": [0, 1], "split": ["val", "test"]}, {}, r"train \(0 rows\) has no row of 'a', 'b'"),
    ],
)
def test_a_class_without_a_row_is_a_clear_error(arguments, params, message):
    with pytest.raises(DataError, match=message):
        divide(facts(**arguments), LABELS[:2], **{**SHARES, **params})


def test_facts_are_read_from_the_tokens(tmp_path):
    table = pa.table(
        {
            "label": pa.array([0, 1, 0], pa.int32()),
            "group": pa.array(["x", None, "x"], pa.string()),
            "split": pa.array([None, "test", None], pa.string()),
            "text_key": pa.array([5, -7, 5], pa.int64()),
            "input_ids": pa.array([[1], [2], [3]], pa.list_(pa.int32())),
        }
    )
    with pa.ipc.new_stream(tmp_path / "tokens.arrow", table.schema) as writer:
        for batch in table.to_batches(max_chunksize=2):
            writer.write_batch(batch)
    found = read_facts(tmp_path / "tokens.arrow")
    assert found.label.tolist() == [0, 1, 0]
    assert found.group.tolist() == [0, -1, 0]
    assert found.text_key.tolist() == [5, -7, 5]
    assert found.split == [None, "test", None]


def test_positions_are_one_column(tmp_path):
    write_positions(tmp_path / "train.parquet", np.array([1, 4]))
    table = pq.read_table(tmp_path / "train.parquet")
    assert table.schema == pa.schema([("position", pa.int64())])
    assert table.column("position").to_pylist() == [1, 4]
