"""The columns that the rows are divided by, as read from the tokens."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from stages.split_inputs import SplitInputs, read_inputs


def read_rows(
    path: Path,
    *,
    group: list[str | None],
    split: list[str | None],
    text_key: list[int],
    cluster: list[int | None],
) -> SplitInputs:
    columns = {
        "label": pa.array(np.arange(len(group)) % 2, pa.int32()),
        "group": pa.array(group, pa.string()),
        "split": pa.array(split, pa.string()),
        "text_key": pa.array(text_key, pa.int64()),
        "cluster": pa.array(cluster, pa.int64()),
        "input_ids": pa.array([[1]] * len(group), pa.list_(pa.int32())),
    }
    table = pa.table(columns)
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return read_inputs(path)


def test_every_column_is_read(tmp_path: Path) -> None:
    rows = read_rows(
        tmp_path / "tokens.arrow",
        group=["x", None, "x", "ä"],
        split=[None, "test", None, "val"],
        text_key=[5, -7, 5, 6],
        cluster=[None, 0, 0, None],
    )
    assert rows.label.tolist() == [0, 1, 0, 1]
    assert rows.label.dtype == np.int64
    assert rows.group.tolist() == [0, -1, 0, 1]
    assert rows.text_key.tolist() == [5, -7, 5, 6]
    assert rows.split == [None, "test", None, "val"]
    assert rows.cluster.tolist() == [-1, 0, 0, -1]


# the first 8 bytes of BLAKE2b, as `printf x | b2sum -l 64` prints them
@pytest.mark.parametrize(
    ("name", "digest"), [("x", "4adf4367f96e584f"), ("ä", "f04dbbe25e2ba039"), ("", "e4a6a0577479b2b4")]
)
def test_content_is_the_hash_of_the_group_or_else_the_key_of_the_text(tmp_path: Path, name: str, digest: str) -> None:
    number = int(digest, 16)
    rows = read_rows(
        tmp_path / "tokens.arrow",
        group=["first", None, name],
        split=[None] * 3,
        text_key=[5, -7, 6],
        cluster=[None] * 3,
    )
    assert rows.content[1:].tolist() == [-7, number - 2**64 if number >= 2**63 else number]
    assert rows.content[0] not in (5, rows.content[2])


def test_content_without_any_group_is_the_key_of_the_text(tmp_path: Path) -> None:
    rows = read_rows(
        tmp_path / "tokens.arrow", group=[None] * 3, split=[None] * 3, text_key=[5, -7, 6], cluster=[None] * 3
    )
    assert rows.content.tolist() == [5, -7, 6]
