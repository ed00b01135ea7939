"""Columns of the input: types of Parquet, and windows without rows."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.prediction.input_format import InputFormat
from pipeline.prediction.records import dialect_of
from pipeline.prediction.windows import WindowReader
from stages.errors import DataError
from tests.pipeline.prediction.rows import read_csv, write_csv


def test_a_header_alone_stays_a_header(predict: Callable[..., Path], tmp_path: Path) -> None:
    assert predict(write_csv(tmp_path / "in.csv", []), "out.csv").read_text() == "text,prediction,probability,error\n"
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "in.parquet")
    assert pq.read_table(predict(tmp_path / "in.parquet", "out.parquet")).num_rows == 0


def test_lists_are_no_text(predict: Callable[..., Path], tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [["a"], ["b"]]}), tmp_path / "in.parquet")
    with pytest.raises(DataError, match=r"the column 'text' has the type list<.*, not text"):
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


BAD_UTF8 = pa.StringArray.from_buffers(2, pa.py_buffer(b"\0\0\0\0\2\0\0\0\4\0\0\0"), pa.py_buffer(b"\xff\xfeab"))


@pytest.mark.parametrize("out", ["out.csv", "out.jsonl", "out.parquet"])
@pytest.mark.parametrize(
    "columns",
    [{"text": BAD_UTF8}, {"text": ["a", "b"], "carried": BAD_UTF8}, {"text": ["a", "b"], "nested": [[1], [2]]}],
    ids=["text", "carried along", "in a list"],
)
def test_parquet_that_is_not_utf8_is_refused(
    predict: Callable[..., Path], tmp_path: Path, columns: dict[str, object], out: str
) -> None:
    if "nested" in columns:
        columns = columns | {"nested": pa.ListArray.from_arrays([0, 1, 2], BAD_UTF8)}
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    with pytest.raises(DataError, match=r"in\.parquet is damaged: .*Invalid UTF8.*after row 0"):
        predict(tmp_path / "in.parquet", out)
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]


def test_any_flipped_bit_or_cut_of_parquet_is_rows_or_one_line(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"text": [f"text {row}" for row in range(500)], "n": range(500)}), tmp_path / "good.parquet"
    )
    good, random = (tmp_path / "good.parquet").read_bytes(), Random(0)
    refused = 0
    for number in range(150):
        data = bytearray(good)
        if number % 3:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        else:
            del data[random.randrange(len(data)) :]
        (tmp_path / "bad.parquet").write_bytes(data)
        with (tmp_path / "bad.parquet").open("rb") as file:
            try:
                list(WindowReader("bad.parquet", file, InputFormat(dialect_of("parquet"))).windows())
            except DataError:
                refused += 1
    assert refused > 50  # every cut; a flipped bit may also be another letter


def test_rows_of_long_texts_are_read_in_small_batches(tmp_path: Path) -> None:
    texts = [f"{row:07d}" * 20_000 for row in range(1_000)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "in.parquet", use_dictionary=False, write_batch_size=8)
    before, most = pa.total_allocated_bytes(), 0
    with (tmp_path / "in.parquet").open("rb") as file:
        for number, window in enumerate(WindowReader("in.parquet", file, InputFormat(dialect_of("parquet"))).windows()):
            most = max(most, pa.total_allocated_bytes() - before)
            assert window.texts[0][:7] == f"{number * len(window):07d}" or number > 0
    assert most < 100_000_000  # of 140 MB
