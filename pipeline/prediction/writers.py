"""Write windows, with the input's columns and the added ones, as CSV, TSV, JSON lines or Parquet."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.prediction.json_lines import extended, json_line
from pipeline.prediction.json_table import UNFIT, schema_of, table_of, unfit
from pipeline.prediction.window import Window
from stages.errors import DataError
from stages.files import csv_writer
from stages.messages import short
from stages.reading.dialect import DELIMITERS
from stages.shown import shorten, spreadsheet_safe

ROW_GROUP = 65_536  # rows of a row group in the joined Parquet file
GROUP_BYTES = 100_000_000  # ends a row group too
DECIMALS = 6  # of a probability in text
DIGITS = 9  # of a predicted number in text: as many as a number of 32 bits has


class Writer(Protocol):
    """Turns windows into bytes, and the bytes of all windows into one file."""

    def check(self, window: Window) -> None:
        """Raise a DataError where the format can't hold the columns of the first window."""

    def encode(self, window: Window, results: pa.Table, *, first: bool) -> bytes:
        """Return the bytes of a window; only the `first` one gets a header."""

    def resume(self, files: Sequence[Path]) -> None:
        """Continue a run that has written these files, one per window."""

    def join(self, files: Sequence[Path], out: Path) -> None:
        """Write `out` from the files of its windows."""


class TextWriter:
    """Writes csv, tsv or jsonl."""

    def __init__(self, file_format: str, *, spreadsheet_safe: bool = False) -> None:
        self._format = file_format
        self._shown = _spreadsheet_cell if spreadsheet_safe else _cell

    def check(self, window: Window) -> None:
        if self._format == "jsonl":
            _refuse_repeated_names(window, "JSON lines")

    def encode(self, window: Window, results: pa.Table, *, first: bool) -> bytes:
        if self._format == "jsonl":
            added = [_rounded(column) for column in results.columns]
            new_keys = [dict(zip(results.column_names, row, strict=True)) for row in zip(*added, strict=True)]
            if isinstance(window.data, list):
                lines = window.lines or [None] * len(window.data)
                return b"".join(map(extended, window.data, lines, new_keys))
            table = _table_of(window.data, has_bytes=window.has_bytes)
            values = [_values(name, table[name]) for name in table.column_names]
            rows = (dict(zip(table.column_names, row, strict=True)) for row in zip(*values, strict=True))
            return b"".join(json_line({**row, **new}) for row, new in zip(rows, new_keys, strict=True))
        data = cast(pa.Table, window.data)  # JSON lines do not become CSV
        stream = io.StringIO(newline="")
        writer = csv_writer(stream, DELIMITERS[self._format])
        if first:
            writer.writerow(map(self._shown, [*data.column_names, *results.column_names]))
        columns = zip(data.column_names, data.columns, strict=True)
        read = [[self._shown(value) for value in _values(name, column, window.has_bytes)] for name, column in columns]
        added = [list(map(self._shown, _in_text(column))) for column in results.columns]
        writer.writerows(zip(*read, *added, strict=True))
        return stream.getvalue().encode("utf-8", "surrogateescape")

    def resume(self, files: Sequence[Path]) -> None:
        pass  # the rows of text depend on no earlier row

    def join(self, files: Sequence[Path], out: Path) -> None:
        with out.open("wb") as target:
            for file in files:
                target.write(file.read_bytes())


class ParquetWriter:
    """Writes Parquet: each window is a small file, and the joined file has larger row groups."""

    def __init__(self) -> None:
        self._schema: pa.Schema | None = None  # of JSON lines: inferred from the first window
        self._first_file: Path | None = None

    def check(self, window: Window) -> None:
        _refuse_repeated_names(window, "Parquet")

    def resume(self, files: Sequence[Path]) -> None:
        self._first_file = files[0] if files else None

    def encode(self, window: Window, results: pa.Table, *, first: bool) -> bytes:
        if self._first_file and self._schema is None:
            written = pq.read_schema(self._first_file)
            self._schema = pa.schema(list(written)[: len(written) - results.num_columns])
        table = self._table(window)
        for field, column in zip(results.schema, results.columns, strict=True):
            table = table.append_column(field, column)
        try:
            return _parquet(table, read=first)
        except UNFIT as error:
            raise unfit(_unfit_column(table), error) from error

    def _table(self, window: Window) -> pa.Table:
        if isinstance(window.data, pa.Table):
            return _table_of(window.data, has_bytes=window.has_bytes)
        self._schema = self._schema or schema_of(window.data)
        return table_of(window.data, self._schema)

    def join(self, files: Sequence[Path], out: Path) -> None:
        with pq.ParquetWriter(out, pq.read_schema(files[0])) as writer:
            waiting: list[pa.Table] = []
            for file in files:
                waiting.append(pq.read_table(file))
                if sum(map(len, waiting)) >= ROW_GROUP or sum(table.nbytes for table in waiting) >= GROUP_BYTES:
                    writer.write_table(pa.concat_tables(waiting), row_group_size=2 * ROW_GROUP)
                    waiting = []
            if waiting:
                writer.write_table(pa.concat_tables(waiting), row_group_size=2 * ROW_GROUP)


def _parquet(table: pa.Table, *, read: bool) -> bytes:
    """Return a table as Parquet, whose types are `read` again: what is nested too deep is written, but can't be."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    data = sink.getvalue()
    if read:
        pq.read_schema(pa.BufferReader(data))
    return bytes(data)


def _unfit_column(table: pa.Table) -> str:
    """Return the name of the first column that Parquet can't hold, of a table with one."""
    for name in table.column_names[:-1]:
        try:
            _parquet(table.select([name]), read=True)
        except UNFIT:
            return str(name)
    return str(table.column_names[-1])


def _refuse_repeated_names(window: Window, what: str) -> None:
    names = window.data.column_names if isinstance(window.data, pa.Table) else []
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise DataError(f"Two columns have the name {short(repeated)}, which {what} can't hold. Give --out FILE.csv.")


def _values(name: str, column: pa.ChunkedArray, raw: bool = False) -> list[Any]:
    """Return the values of a column for a format of text; bytes become text, unless they are written as they are.

    Raises:
        DataError: Text can't hold a value: bytes that are not UTF-8, a date of the year 10,000, an unknown time zone.
    """
    try:
        values: list[Any] = column.to_pylist()
        return values if raw or pa.types.is_string(column.type) else [_text(value) for value in values]
    except (pa.ArrowException, ValueError, ArithmeticError, LookupError) as error:
        reason = shorten(str(error), 200)
        raise DataError(
            f"The column {short(name)} has a value of type {column.type} that text can't hold: {reason}. "
            "Give --out FILE.parquet."
        ) from error


def _text(value: Any) -> Any:
    """Return a value with text for bytes, at any depth."""
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, list):
        return [_text(item) for item in value]
    if isinstance(value, tuple):
        return tuple(map(_text, value))
    return {key: _text(item) for key, item in value.items()} if isinstance(value, dict) else value


def _rounded(column: pa.ChunkedArray) -> list[Any]:
    """Return the values of an added column: probabilities (32 bits) to 6 decimals, numbers (64 bits) in any unit."""
    values: list[Any] = column.to_pylist()
    if pa.types.is_float32(column.type):
        return [value if value is None else round(value, DECIMALS) for value in values]
    return [float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value for value in values]


def _in_text(column: pa.ChunkedArray) -> list[Any]:
    """Return the same for csv and tsv, where probabilities have all their decimals."""
    if not pa.types.is_float32(column.type):
        return _rounded(column)
    return [value if value is None else f"{value:.{DECIMALS}f}" for value in column.to_pylist()]


def _table_of(data: pa.Table, *, has_bytes: bool) -> pa.Table:
    """The table of a window, in which columns of bytes become text with U+FFFD for what is not UTF-8."""
    if not has_bytes:
        return data
    columns = [
        pa.array([None if value is None else value.decode("utf-8", "replace") for value in column.to_pylist()])
        if column.type == pa.binary()
        else column
        for column in data.columns
    ]
    return pa.Table.from_arrays(columns, names=data.column_names)


def _spreadsheet_cell(value: Any) -> Any:
    cell = _cell(value)
    return spreadsheet_safe(cell) if isinstance(cell, str) else cell


def _cell(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else value
