"""Parquet is read in constant memory, whatever a small file makes of its bytes, and its values stay the same."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.prediction import parquet
from pipeline.prediction.input_format import InputFormat
from pipeline.prediction.records import dialect_of
from pipeline.prediction.windows import WindowReader
from pipeline.prediction.writers import ParquetWriter
from stages import parquet_rows
from stages.errors import DataError

MB = 1_000_000
LONG = "long text "


def once(size: int, rows: int) -> pa.DictionaryArray:
    """A value that is stored once and stands in every row."""
    return pa.DictionaryArray.from_arrays(pa.nulls(rows, pa.int32()).fill_null(0), [LONG * (size // len(LONG))])


def lists(values: pa.Array, length: int) -> pa.ListArray:
    return pa.ListArray.from_arrays(range(0, len(values) + 1, length), values)


def save(path: Path, columns: dict[str, Any], **options: Any) -> None:
    pq.write_table(pa.table({"text": ["good"] * len(next(iter(columns.values())))} | columns), path, **options)


BOMBS: dict[str, tuple[Callable[[Path], None], str]] = {  # and what is said of it; a number of rows: all are read
    "one long text": (lambda path: save(path, {"text": once(MB, 800)}), "800 rows"),
    "one long value, carried along": (lambda path: save(path, {"more": once(MB, 800)}), "800 rows"),
    "one long value in structs": (
        lambda path: save(path, {"more": pa.StructArray.from_arrays([once(MB, 800)], ["a"])}),
        "800 rows",
    ),
    "one long value in lists": (lambda path: save(path, {"more": lists(once(MB, 800), 400)}), "row 1 has more than"),
    "one too long text": (lambda path: save(path, {"text": once(11 * MB, 100)}), "row 1 has more than 10,000,000"),
    "long texts as differences": (
        lambda path: save(
            path,
            {"text": [LONG * 100_000] * 600},
            use_dictionary=False,
            column_encoding={"text": "DELTA_BYTE_ARRAY"},
        ),
        "600 rows",
    ),
    "long texts after short ones": (
        lambda path: save(path, {"more": ["a"] * 3_000 + [LONG * 500_000] * 100}, write_batch_size=1),
        "3100 rows",
    ),
    "lists of nulls": (lambda path: save(path, {"more": lists(pa.nulls(12 * MB), 2 * MB)}), "row 1 has more than"),
    "a list of nulls after empty ones": (
        lambda path: save(
            path, {"more": pa.ListArray.from_arrays([0] * 4_000 + [12 * MB], pa.nulls(12 * MB, pa.int8()))}
        ),
        "row 4000 has more than",
    ),
    "lists of lists of nothing": (
        lambda path: save(
            path, {"more": lists(pa.ListArray.from_arrays([0] * (4 * MB + 1), pa.nulls(0, pa.int8())), 2 * MB)}
        ),
        "row 1 has more than",
    ),
}
SCRIPT = """
import re, sys
from pathlib import Path
from pipeline.prediction.input_format import InputFormat
from pipeline.prediction.records import dialect_of
from pipeline.prediction.windows import WindowReader
from stages.errors import DataError
rows = 0
with open(sys.argv[1], "rb") as file:
    try:
        for window in WindowReader("in.parquet", file, InputFormat(dialect_of("parquet"))).windows():
            rows += len(window)
        print(rows, "rows")
    except DataError as error:
        print(error)
# Not ru_maxrss, which counts the parent too
print(int(re.search("VmHWM:.*?([0-9]+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.parametrize("case", BOMBS)
def test_a_small_file_takes_little_memory(tmp_path: Path, case: str) -> None:
    make, message = BOMBS[case]
    make(tmp_path / "in.parquet")
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "in.parquet")]
    answer = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr[-2_000:]
    line, peak = answer.stdout.splitlines()
    assert message in line
    assert int(peak) < 600  # megabytes; the modules alone take 110


def columns() -> dict[str, pa.Array]:
    return {
        "string": pa.array(["a", None, "b"]),
        "large_string": pa.array(["a", None, "b"], pa.large_string()),
        "dictionary": pa.array(["a", None, "a"]).dictionary_encode(),
        "bytes": pa.array([b"\xff", None, b""]),
        "list": pa.array([["a", None], None, []]),
        "list of lists": pa.array([[["a"], None], None, [[]]]),
        "large_list": pa.array([["a"], None, []], pa.large_list(pa.large_string())),
        "fixed list": pa.array([[1, 2], [3, None], [5, 6]], pa.list_(pa.int8(), 2)),
        "list of nulls": pa.array([[None], None, []], pa.list_(pa.null())),
        "map": pa.array([[("a", "b")], None, []], pa.map_(pa.string(), pa.string())),
        "struct": pa.array([{"a": "b", "c": [1]}, None, {"a": None, "c": None}]),
        "list of structs": pa.array([[{"a": "b"}], None, []]),
        "null": pa.nulls(3),
        "date": pa.array([1, None, 2], pa.timestamp("us", "UTC")),
        "decimal": pa.array([1, None, 2], pa.decimal128(30, 2)),
        "bool": pa.array([True, None, False]),
    }


def read(path: Path, skip: int = 0) -> pa.Table:
    with path.open("rb") as file:
        windows = list(WindowReader("in.parquet", file, InputFormat(dialect_of("parquet"))).windows(skip=skip))
    return pa.concat_tables(window.data for window in windows)


@pytest.mark.parametrize("use_dictionary", [True, False], ids=["in dictionaries", "plain"])
@pytest.mark.parametrize("kind", columns())
def test_every_type_is_carried_along_unchanged(tmp_path: Path, kind: str, use_dictionary: bool) -> None:
    table = pa.table({"text": ["a", "b", "c"], "more": columns()[kind]})
    pq.write_table(table, tmp_path / "in.parquet", use_dictionary=use_dictionary)
    assert read(tmp_path / "in.parquet").equals(table)
    assert read(tmp_path / "in.parquet", skip=2).equals(table.slice(2))


def test_views_become_strings(tmp_path: Path) -> None:
    views = pa.array(["a", None], pa.string_view())
    pq.write_table(pa.table({"text": views, "more": [["a"], ["b"]]}), tmp_path / "in.parquet")
    assert read(tmp_path / "in.parquet").to_pydict() == {"text": ["a", None], "more": [["a"], ["b"]]}


@pytest.mark.parametrize("groups", [1, 7, 100])
def test_windows_end_by_rows_and_bytes_wherever_row_groups_and_an_earlier_run_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: int
) -> None:
    monkeypatch.setattr(parquet, "WINDOW_ROWS", 8)
    monkeypatch.setattr(parquet, "LONGEST", 200)
    texts = [f"{row}" if row % 20 < 10 else f"{row} " * 20 for row in range(100)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "in.parquet", row_group_size=groups)

    def ends(skip: int) -> list[int]:
        with (tmp_path / "in.parquet").open("rb") as file:
            windows = list(WindowReader("in.parquet", file, InputFormat(dialect_of("parquet"))).windows(skip=skip))
        assert [text for window in windows for text in window.texts] == texts[skip:]
        return [window.position for window in windows]

    every = ends(0)
    assert every[:3] == [8, 12, 14]
    assert every[-1] == 100
    assert all(ends(end) == [later for later in every if later > end] for end in every)


def test_the_longest_row_is_read_and_a_longer_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "LONGEST", 100)
    fits = 100 - 2 * parquet.FIXED - 1
    pq.write_table(pa.table({"text": ["a", "b"], "more": ["x", "x" * fits]}), tmp_path / "in.parquet")
    assert len(read(tmp_path / "in.parquet")) == 2
    pq.write_table(pa.table({"text": ["a", "b"], "more": ["x", "x" * (fits + 1)]}), tmp_path / "in.parquet")
    with pytest.raises(DataError, match=r"in.parquet row 2 has more than 100 bytes. Split it, or leave it out"):
        read(tmp_path / "in.parquet")


def test_values_that_take_no_room_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "in.parquet", {"more": lists(pa.nulls(3_000), 1_000)})
    monkeypatch.setattr(parquet_rows, "MOST_EMPTY_VALUES", 2_999)
    with pytest.raises(DataError, match=r"is damaged: more.list.element has 3,000 values in \d+ bytes"):
        read(tmp_path / "in.parquet")


def test_the_joined_file_has_row_groups_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.prediction.writers.GROUP_BYTES", 1_000)
    for number in range(6):
        pq.write_table(pa.table({"text": ["x" * 600]}), tmp_path / f"{number}.part")
    ParquetWriter().join(sorted(tmp_path.glob("*.part")), tmp_path / "whole")
    assert pq.read_metadata(tmp_path / "whole").num_row_groups == 3
    assert len(pq.read_table(tmp_path / "whole")) == 6


def test_a_column_with_two_names_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"] * 9, "more": ["b"] * 9}), tmp_path / "in.parquet", store_schema=False)
    content = (tmp_path / "in.parquet").read_bytes()
    assert content.count(b"more") == 2  # in the schema, and where the column is
    (tmp_path / "in.parquet").write_bytes(content.replace(b"more", b"less", 1))
    with pytest.raises(DataError, match=r"in.parquet can't be read as Parquet: .*more"):
        read(tmp_path / "in.parquet")


FOOTERS = """
import os, sys
from pipeline.prediction.input_format import InputFormat
from pipeline.prediction.records import dialect_of
from pipeline.prediction.windows import WindowReader
from stages.errors import DataError
good, damaged = open(sys.argv[1], "rb").read(), sys.argv[1] + ".damaged"
for position in range(len(good) - 8 - int.from_bytes(good[-8:-4], "little"), len(good) - 8):
    for bit in range(8):
        data = bytearray(good)
        data[position] ^= 1 << bit
        with open(damaged, "wb") as file:
            file.write(data)
        try:
            with open(damaged, "rb") as file:
                for window in WindowReader("in.parquet", file, InputFormat(dialect_of("parquet"))).windows():
                    pass
        except DataError:
            pass
print("done")
"""


def test_no_bit_of_the_footer_ends_the_process(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a", "b"], "list": [["x"], []]}), tmp_path / "in.parquet", store_schema=False)
    command = [sys.executable, "-c", FOOTERS, str(tmp_path / "in.parquet")]
    answer = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True)
    assert answer.stdout == "done\n", answer.stderr[-2_000:]
