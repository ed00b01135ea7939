"""Columns of the input: types of Parquet, and windows without rows."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.errors import DataError
from tests.pipeline.prediction.rows import read_csv, write_csv


def test_a_header_alone_stays_a_header(predict: Callable[..., Path], tmp_path: Path) -> None:
    assert predict(write_csv(tmp_path / "in.csv", []), "out.csv").read_text() == "text,prediction,probability,error\n"
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "in.parquet")
    assert pq.read_table(predict(tmp_path / "in.parquet", "out.parquet")).num_rows == 0


def test_numbers_are_no_text(predict: Callable[..., Path], tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [1, 2]}), tmp_path / "in.parquet")
    with pytest.raises(DataError, match=r"the column 'text' has the type int64, not text"):
        predict(tmp_path / "in.parquet", "out.csv")


def test_values_of_parquet_columns_are_kept(predict: Callable[..., Path], tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": pa.array(["good", None, "bad"]).dictionary_encode(),
            "x": pa.array([1.25, None, 1e-9]),
            "tags": [["a"], [], None],
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    written = pq.read_table(predict(tmp_path / "in.parquet", "out.parquet"))
    assert written.select(["text", "x", "tags"]).to_pylist() == table.to_pylist()
    assert written["error"].to_pylist() == [None, "text is missing", None]
    assert [row["x"] for row in read_csv(predict(tmp_path / "in.parquet", "out.csv"))] == ["1.25", "", "1e-09"]
