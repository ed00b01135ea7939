"""What is written of a window: its input columns and what the model says, as CSV, TSV, JSON lines or Parquet."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.prediction.records import DELIMITERS
from pipeline.prediction.windows import Window
from stages.errors import DataError

ROW_GROUP = 65_536  # rows of a row group in the joined Parquet file
DECIMALS = 6  # of a probability in text


class Output(Protocol):
    """One format: windows to bytes, and the bytes of all windows to one file."""

    def encode(self, window: Window, results: pa.Table, *, first: bool) -> bytes:
        """Return the bytes of one window; the `first` one stands at the top of the file."""

    def go_on(self, parts: Sequence[Path]) -> None:
        """Take over from a run that wrote these windows, each in a file of its own."""

    def join(self, parts: Sequence[Path], out: Path) -> None:
        """Write the file from the bytes of its windows, each in a file of its own."""


class Text:
    """CSV, TSV and JSON lines."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def encode(self, window: Window, results: pa.Table, *, first: bool) -> bytes:
        if self._kind == "jsonl":
            new_keys = [_rounded(row) for row in results.to_pylist()]
            rows: list[Any] = (
                window.data
                if isinstance(window.data, list)
                else _table_of(window.data, broken=window.broken).to_pylist()
            )
            return b"".join(_json_line({**row, **new}) for row, new in zip(rows, new_keys, strict=True))
        if isinstance(window.data, list):
            raise DataError("JSON lines have no fixed columns for CSV. Write --out FILE.jsonl or FILE.parquet.")
        stream = io.StringIO()
        writer = csv.writer(stream, delimiter=DELIMITERS[self._kind], lineterminator="\n")
        if first:
            writer.writerow([*window.data.column_names, *results.column_names])
        kept = [[_cell(value) for value in column.to_pylist()] for column in window.data.columns]
        added = [[_number(value) for value in column.to_pylist()] for column in results.columns]
        writer.writerows(zip(*kept, *added, strict=True))
        return stream.getvalue().encode("utf-8", "surrogateescape")

    def go_on(self, parts: Sequence[Path]) -> None:
        pass  # a row says all there is to know

    def join(self, parts: Sequence[Path], out: Path) -> None:
        with out.open("wb") as file:
            for part in parts:
                file.write(part.read_bytes())


class Parquet:
    """Parquet: every window a small file, the joined one in larger row groups."""

    def __init__(self) -> None:
        self._schema: pa.Schema | None = None  # of JSON lines: what the first window holds
        self._first_part: Path | None = None

    def go_on(self, parts: Sequence[Path]) -> None:
        self._first_part = parts[0] if parts else None

    def encode(self, window: Window, results: pa.Table, *, first: bool) -> bytes:
        if self._first_part and self._schema is None:
            written = pq.read_schema(self._first_part)
            self._schema = pa.schema(list(written)[: len(written) - results.num_columns])
        table = self._table(window)
        for field, column in zip(results.schema, results.columns, strict=True):
            table = table.append_column(field, column)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        return bytes(sink.getvalue())

    def _table(self, window: Window) -> pa.Table:
        if isinstance(window.data, pa.Table):
            if len(set(window.data.column_names)) < len(window.data.column_names):
                raise DataError("The header names a column twice, which Parquet can't hold. Write --out FILE.csv.")
            return _table_of(window.data, broken=window.broken)
        if self._schema is None:
            inferred = pa.Table.from_pylist(window.data).schema
            strings = [pa.field(f.name, pa.string()) if pa.types.is_null(f.type) else f for f in inferred]
            self._schema = pa.schema(strings)
        unknown = next((key for row in window.data for key in row if key not in self._schema.names), None)
        if unknown is not None:
            raise DataError(
                f"The key {unknown!r} is not in the first rows, so it has no column. Write --out FILE.jsonl."
            )
        try:
            return pa.Table.from_pylist(window.data, schema=self._schema)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataError(f"The rows' values do not fit one column: {error}. Write --out FILE.jsonl.") from error

    def join(self, parts: Sequence[Path], out: Path) -> None:
        with pq.ParquetWriter(out, pq.read_schema(parts[0])) as writer:
            waiting: list[pa.Table] = []
            for part in parts:
                waiting.append(pq.read_table(part))
                if sum(map(len, waiting)) >= ROW_GROUP:
                    writer.write_table(pa.concat_tables(waiting), row_group_size=2 * ROW_GROUP)
                    waiting = []
            if waiting:
                writer.write_table(pa.concat_tables(waiting), row_group_size=2 * ROW_GROUP)


def _json_line(row: dict[str, Any]) -> bytes:
    """A line of UTF-8; what is no Unicode is escaped, as it was in the input."""
    try:
        return (json.dumps(row, ensure_ascii=False, default=str) + "\n").encode("utf-8")
    except UnicodeEncodeError:
        return (json.dumps(row, default=str) + "\n").encode("ascii")


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, DECIMALS) if isinstance(value, float) else value for key, value in row.items()}


def _number(value: Any) -> Any:
    return f"{value:.{DECIMALS}f}" if isinstance(value, float) else value


def _table_of(data: pa.Table, *, broken: bool) -> pa.Table:
    """The window's table; where cells are `broken`, they become text in which that shows."""
    if not broken:
        return data
    columns = [
        pa.array([value.decode("utf-8", "replace") for value in column.to_pylist()])
        if column.type == pa.binary()
        else column
        for column in data.columns
    ]
    return pa.Table.from_arrays(columns, names=data.column_names)


def _cell(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else value
