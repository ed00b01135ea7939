from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.tokens import TOKENS_FILE, batches_by_tokens, open_tokens, read_positions

ROWS = [[2, 11, 3], [2, 3], [2, 11, 12, 13, 3], [2, 14, 3]]


def write(folder: Path, **columns: pa.Array) -> None:
    table = pa.table(
        {"label": pa.array([0, 1, 0, 2], pa.int32()), "input_ids": pa.array(ROWS, pa.list_(pa.int32()))} | columns
    )
    with pa.OSFile(str(folder / TOKENS_FILE), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)  # rows of more than one chunk


def test_rows_and_labels_come_back_in_order(tmp_path: Path) -> None:
    write(tmp_path)
    tokens = open_tokens(tmp_path)
    assert len(tokens) == 4
    assert [tokens.row(position).tolist() for position in range(4)] == ROWS
    assert tokens.labels.tolist() == [0, 1, 0, 2]
    assert tokens.lengths.tolist() == [3, 2, 5, 3]


def test_a_batch_is_padded_to_its_own_longest_row(tmp_path: Path) -> None:
    write(tmp_path)
    batch = open_tokens(tmp_path).pad([3, 1], pad_token_id=9)
    assert batch["input_ids"].tolist() == [[2, 14, 3], [2, 3, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch["labels"].tolist() == [2, 1]
    assert "token_type_ids" not in batch


def test_token_types_of_pairs_are_padded_with_0(tmp_path: Path) -> None:
    write(tmp_path, token_type_ids=pa.array([[0, 0, 1], [0, 1], [0, 0, 1, 1, 1], [1, 1, 1]], pa.list_(pa.int8())))
    batch = open_tokens(tmp_path).pad([1, 3], pad_token_id=9)
    assert batch["token_type_ids"].tolist() == [[0, 1, 0], [1, 1, 1]]


def test_token_ids_stay_on_disk(tmp_path: Path) -> None:
    write(tmp_path)
    tokens = open_tokens(tmp_path)
    assert not any(chunk.flags.owndata for chunk in tokens.input_ids)


def test_a_batch_holds_at_most_its_tokens_and_every_row_once() -> None:
    lengths = np.random.default_rng(0).integers(1, 90, size=500)
    batches = batches_by_tokens(lengths, 100)
    assert sorted(np.concatenate(batches)) == list(range(500))
    assert all(lengths[batch].max() * len(batch) <= 100 for batch in batches)
    assert [batch.tolist() for batch in batches_by_tokens(np.array([3, 500]), 100)] == [[1], [0]]


def test_rows_of_the_same_tokens_are_one(tmp_path: Path) -> None:
    write(tmp_path, input_ids=pa.array([[2, 11, 3], [2, 3], [2, 11, 3], [2, 3]], pa.list_(pa.int32())))
    distinct, same_as = open_tokens(tmp_path).distinct(np.array([3, 2, 1, 0, 3]))
    assert distinct.tolist() == [3, 2]
    assert same_as.tolist() == [0, 1, 0, 1, 0]


def test_pairs_that_are_divided_elsewhere_are_not_the_same(tmp_path: Path) -> None:
    rows, types = (
        [[2, 11, 3, 3], [2, 11, 3, 3], [2, 11, 3, 3], [2, 3]],
        [[0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0]],
    )
    columns = {
        "input_ids": pa.array(rows, pa.list_(pa.int32())),
        "token_type_ids": pa.array(types, pa.list_(pa.int8())),
    }
    write(tmp_path, **columns)
    distinct, same_as = open_tokens(tmp_path).distinct(np.arange(4))
    assert distinct.tolist() == [0, 1, 3]
    assert same_as.tolist() == [0, 1, 0, 2]


def test_read_positions(tmp_path: Path) -> None:
    pq.write_table(pa.table({"position": pa.array([1, 4, 7], pa.int64())}), tmp_path / "val.parquet")
    assert read_positions(tmp_path / "val.parquet").tolist() == [1, 4, 7]
