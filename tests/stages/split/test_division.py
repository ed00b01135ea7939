"""Every row stands in one split at most, each class has its share, and what belongs together stays together."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.errors import DataError
from stages.split.division import divide, write_positions
from stages.split.inputs import SplitInputs, read_inputs

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
    positions, stats = divide(inputs(label), LABELS, **SHARES)
    assert sorted(np.concatenate(list(positions.values()))) == list(range(1_001))
    assert [len(positions[name]) for name in ("train", "val", "test")] == [799, 101, 101]
    for name in ("val", "test"):
        assert np.abs(np.bincount(label[positions[name]]) - np.array([70, 20, 10])).max() <= 1
        assert stats[name]["labels"] == dict(zip(LABELS, np.bincount(label[positions[name]]).tolist(), strict=True))
        assert (np.diff(positions[name]) > 0).all()


def test_a_rare_class_has_a_row_in_every_split():
    label = np.repeat([0, 1, 2], [500, 4, 3])
    _, stats = divide(inputs(label), LABELS, **SHARES)
    assert all(stats[name]["labels"][rare] >= 1 for name in ("train", "val", "test") for rare in "bc")


def test_seed_decides():
    label = np.arange(300) % 3
    first, again, other = (divide(inputs(label), LABELS, **{**SHARES, "seed": seed})[0] for seed in (1, 1, 2))
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
    positions, stats = divide(columns, LABELS, **{**SHARES, "test": share, "method": method})
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
    positions, _ = divide(inputs(label, group=group), LABELS[:2], **SHARES)
    for name in ("val", "test"):
        assert len(positions[name]) == pytest.approx(100, abs=15)
        assert label[positions[name]].mean() == pytest.approx(label.mean(), abs=0.05)


def test_official_splits_are_kept_and_the_missing_one_comes_from_train():
    split = ["train"] * 100 + ["test"] * 20 + [None] * 10
    positions, stats = divide(inputs(np.arange(130) % 2, split=split), LABELS[:2], **SHARES)
    assert positions["test"].tolist() == list(range(100, 120))
    assert len(positions["val"]) == 11
    assert not set(positions["val"]) & set(positions["test"])
    assert stats["official"] == ["train", "test"]


def test_all_official():
    split = ["train", "val", "test"] * 10
    positions, _ = divide(
        inputs([0, 0, 0, 1, 1, 1] * 5, split=split), LABELS[:2], **{**SHARES, "val": 0.0, "test": 0.0}
    )
    assert positions["val"].tolist() == list(range(1, 30, 3))


def test_dropping_duplicates_keeps_what_is_measured():
    key = [0, 0, 1, 1, 2, 3, 4, 5]
    split = ["train", "test", "train", "train", "val", "val", "test", "train"]
    positions, stats = divide(
        inputs([0, 0, 1, 1, 0, 1, 1, 0], key, split=split), LABELS[:2], **{**SHARES, "duplicates": "drop"}
    )
    assert positions["test"].tolist() == [1, 6]
    assert positions["train"].tolist() == [2, 7]
    assert stats["duplicates_dropped"] == 2


def test_keeping_duplicates_lets_them_fall_as_they_fall():
    label, key = np.arange(400) % 2, np.arange(400) // 4
    positions, _ = divide(inputs(label, key), LABELS[:2], **{**SHARES, "duplicates": "keep"})
    assert set(key[positions["test"]]) & set(key[positions["train"]])


def test_a_fraction_of_train_is_stratified_and_nested():
    label = np.repeat([0, 1], [900, 100])
    half, quarter = (divide(inputs(label), LABELS[:2], **{**SHARES, "train_fraction": share}) for share in (0.5, 0.25))
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
            r"Classes have no row in a split: .* \(\d rows\) has no row of 'b'. Add rows",
        ),
        (
            {"label": [0, 1] * 9},
            {"val": 0.0},
            r"split.val is 0, and no file has split: val. Set split.val, or give a file",
        ),
        ({"label": [0, 1] * 9}, {"test": 0.0}, r"split.test is 0, and no file has split: test"),
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
        divide(inputs(**arguments), LABELS[:2], **{**SHARES, **params})


def test_a_hash_never_moves_a_row_when_others_come():
    generator = np.random.default_rng(0)
    label, content = np.arange(3_000) % 3, generator.integers(-(2**62), 2**62, 3_000)
    settings = {**SHARES, "method": "hash"}
    before, _ = divide(inputs(label[:2_000], content[:2_000], content=content[:2_000]), LABELS, **settings)
    order = generator.permutation(3_000)
    after, _ = divide(inputs(label[order], content[order], content=content[order]), LABELS, **settings)
    for name in ("train", "val", "test"):
        assert set(before[name]) == {row for row in order[after[name]] if row < 2_000}
    assert len(after["test"]) == pytest.approx(300, abs=60)
    other, _ = divide(inputs(label, content, content=content), LABELS, **{**settings, "seed": 2})
    assert len(set(other["test"]) & set(order[after["test"]])) < 100


def test_rows_of_a_component_that_a_hash_divides_are_left_out_of_train():
    content = np.arange(600)
    near = np.where(content < 60, content % 2, -1)
    rows = inputs(content % 2, content, cluster=near, content=content)
    together, stats = divide(rows, LABELS[:2], **{**SHARES, "method": "hash"})
    kept, leaky = divide(rows, LABELS[:2], **{**SHARES, "method": "hash", "duplicates": "keep"})
    assert set(together["test"]) == set(kept["test"]), "what is measured does not depend on what train has"
    assert set(together["train"]) < set(kept["train"])
    assert stats["left_out_as_leak"] > 0
    assert stats["leak"]["share"] == 0 < leaky["leak"]["share"]


def test_source_takes_the_official_splits_alone():
    split = ["train", "val", "test"] * 4
    positions, stats = divide(inputs([0, 0, 0, 1, 1, 1] * 2, split=split), LABELS[:2], **{**SHARES, "method": "source"})
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
    _, stats = divide(rows, LABELS[:2], **settings)
    assert stats["leak"] == {
        "same_text": {"val": 1, "test": 1},
        "nearly_same_text": {"val": 0, "test": 1},
        "same_group": {"val": 0, "test": 1},
        "share": 0.5,
    }
    message = r"50.00% of the rows of val and test are in another .* text: 1 rows of val, 1 of test; .*max_leak is 0.2"
    with pytest.raises(DataError, match=message):
        divide(rows, LABELS[:2], **{**settings, "max_leak": 0.2})


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (["train", "val"] * 4, r"split.method is source, but no file has split: test. Set split.method: stratified"),
        ([None] * 8, r"split.method is source, but no file has split: train or val or test"),
        (["train", "val", "test", None] * 2, r"split.method is source, but 2 rows come from files without a split"),
    ],
)
def test_source_needs_every_split(split, message):
    with pytest.raises(DataError, match=message):
        divide(inputs([0, 1] * 4, split=split), LABELS[:2], **{**SHARES, "method": "source"})


def test_the_inputs_are_read_from_the_tokens(tmp_path):
    table = pa.table(
        {
            "label": pa.array([0, 1, 0], pa.int32()),
            "group": pa.array(["x", None, "x"], pa.string()),
            "split": pa.array([None, "test", None], pa.string()),
            "text_key": pa.array([5, -7, 5], pa.int64()),
            "cluster": pa.array([None, 0, 0], pa.int64()),
            "input_ids": pa.array([[1], [2], [3]], pa.list_(pa.int32())),
        }
    )
    with pa.ipc.new_stream(tmp_path / "tokens.arrow", table.schema) as writer:
        for batch in table.to_batches(max_chunksize=2):
            writer.write_batch(batch)
    rows = read_inputs(tmp_path / "tokens.arrow")
    assert rows.label.tolist() == [0, 1, 0]
    assert rows.group.tolist() == [0, -1, 0]
    assert rows.text_key.tolist() == [5, -7, 5]
    assert rows.split == [None, "test", None]
    assert rows.cluster.tolist() == [-1, 0, 0]
    assert rows.content[0] == rows.content[2] != 5
    assert rows.content[1] == -7


def test_positions_are_one_column(tmp_path):
    write_positions(tmp_path / "train.parquet", np.array([1, 4]))
    table = pq.read_table(tmp_path / "train.parquet")
    assert table.schema == pa.schema([("position", pa.int64())])
    assert table.column("position").to_pylist() == [1, 4]
