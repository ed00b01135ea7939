"""Read one file, row by row, whatever its format: the columns asked for, as text, with the row's number."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from stages.errors import DataError

DELIMITERS = {"csv": ",", "tsv": "\t"}
LONGEST_FIELD = 10_000_000  # characters; more than that is a quote that was never closed


class Record(NamedTuple):
    """One row as read: nothing checked yet but that its form can be read."""

    row: int  # line it starts at (text formats) or number of the row (Parquet), from 1
    text: str | None
    text_pair: str | None = None
    label: str | None = None
    id: str | None = None
    group: str | None = None
    problem: str | None = None  # why the row's form can't be read, where it can't


@dataclass(frozen=True)
class Layout:
    """How the files are to be read.

    Args:
        format: csv, tsv, jsonl, parquet or lines.
        encoding: Of the text formats, by Python's name.
        header: Does a csv or tsv file start with the columns' names?
        quoting: Is `"` a quote in csv and tsv?
        columns: Column of each field of a record (`text`, `label`, ...) that there is.
    """

    format: str
    encoding: str
    header: bool
    quoting: bool
    columns: Mapping[str, str | int]


def read_records(path: Path, *, name: str, layout: Layout) -> Iterator[Record]:
    """Read the rows of one file in their order, in constant memory.

    Args:
        path: The file on disk.
        name: What the messages call it.
        layout: Its format and columns.

    Raises:
        DataError: The file is empty, is not of this format, or lacks a column.
    """
    if path.stat().st_size == 0:
        raise DataError(f"{name} is empty (0 bytes). Give a file with rows.")
    if layout.format == "parquet":
        yield from _parquet(path, name, layout)
        return
    readers = {"csv": _separated, "tsv": _separated, "jsonl": _json_lines, "lines": _lines}
    with path.open("rb") as file:
        stream = _decode(file, layout.encoding)
        try:
            yield from readers[layout.format](stream, name, layout)
        except UnicodeError as error:
            raise DataError(
                f"{name} cannot be read as {layout.encoding}: {error}. Set download.dataset.encoding to the file's own."
            ) from error


def _decode(file: BinaryIO, encoding: str) -> io.TextIOWrapper:
    """Bytes that the encoding does not have become lone surrogates, so that the row can be named later."""
    try:
        encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
        return io.TextIOWrapper(file, encoding=encoding, errors="surrogateescape", newline="")
    except LookupError as error:
        raise DataError(
            f"download.dataset.encoding: {encoding!r} is no encoding that Python knows. "
            "Give one of its names, such as utf-8, latin-1, cp1252 or utf-16."
        ) from error


def _separated(stream: io.TextIOWrapper, name: str, layout: Layout) -> Iterator[Record]:
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(
        stream,
        delimiter=DELIMITERS[layout.format],
        quoting=csv.QUOTE_MINIMAL if layout.quoting else csv.QUOTE_NONE,
        strict=True,
    )
    row, names, positions = 1, None, {}
    try:
        for fields in reader:
            if not fields:  # a blank line
                row = reader.line_num + 1
                continue
            if names is None:
                names = fields if layout.header else [str(number) for number in range(len(fields))]
                positions = _positions(names, name, layout)
                if layout.header:
                    row = reader.line_num + 1
                    continue
            if len(fields) == len(names):
                yield Record(row, **{field: fields[position] for field, position in positions.items()})
            else:
                yield Record(row, None, problem=f"{len(fields)} fields where the first line has {len(names)}")
            row = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{name} row {row} is not {layout.format.upper()}: {error}. Is a quote not closed? "
            "Where quotes are plain characters, set download.dataset.quoting: false."
        ) from error


def _positions(names: Sequence[str], name: str, layout: Layout) -> dict[str, int]:
    """Where in a row of fields each field of a record stands."""
    unreadable = next((column for column in names if not _encodable(column)), None)
    if layout.header and unreadable is not None:
        raise DataError(
            f"{name} row 1: the header is not {layout.encoding}. Set download.dataset.encoding to the file's own."
        )
    positions = {}
    for field, column in layout.columns.items():
        if isinstance(column, str) and not layout.header:
            raise DataError(
                f"download.dataset.columns.{field}: {column!r} is a name, but {name} has no header. "
                f"Give a number from 0 to {len(names) - 1}, or set download.dataset.header: true."
            )
        matches = [position for position, known in enumerate(names) if known == str(column)]
        if len(matches) > 1:
            raise DataError(
                f"{name}: the column {column!r} occurs {len(matches)} times. Give each column its own name."
            )
        if not matches:
            raise missing_column(name, field, column, names)
        positions[field] = matches[0]
    return positions


def missing_column(name: str, field: str, column: str | int, present: Iterable[str]) -> DataError:
    """The error for a column that the file does not have."""
    return DataError(
        f"{name} has no column {column!r} (download.dataset.columns.{field}). It has: {', '.join(present) or 'none'}."
    )


def _lines(stream: io.TextIOWrapper, name: str, layout: Layout) -> Iterator[Record]:
    for row, line in enumerate(stream, start=1):
        yield Record(row, line.rstrip("\r\n"))


def _json_lines(stream: io.TextIOWrapper, name: str, layout: Layout) -> Iterator[Record]:
    seen: dict[str, None] = {}  # keys may be left out of a row, so a column is missing only where no row has it
    read = False
    for row, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Record(row, None, problem=f"no JSON ({error})")
            continue
        if not isinstance(values, dict):
            yield Record(row, None, problem=f"a JSON {type(values).__name__}, not an object")
            continue
        read = True
        seen.update(dict.fromkeys(values))
        yield _record(row, {field: values.get(str(column)) for field, column in layout.columns.items()})
    if read:
        _require_columns(name, layout, seen)


def _parquet(path: Path, name: str, layout: Layout) -> Iterator[Record]:
    try:
        file = pq.ParquetFile(path)
        _require_columns(name, layout, file.schema_arrow.names)
        columns = [str(column) for column in layout.columns.values()]
        row = 0
        for batch in file.iter_batches(batch_size=10_000, columns=columns):
            values = [batch.column(column).to_pylist() for column in columns]
            for cells in zip(*values, strict=True):
                row += 1
                yield _record(row, dict(zip(layout.columns, cells, strict=True)))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name} is not a readable Parquet file: {error}") from error


def _require_columns(name: str, layout: Layout, present: Iterable[str]) -> None:
    present = list(present)
    for field, column in layout.columns.items():
        if str(column) not in present:
            raise missing_column(name, field, column, present)


def _record(row: int, values: Mapping[str, Any]) -> Record:
    """A record of typed values (JSON, Parquet): numbers and truth values become text, 3.0 becomes 3."""
    cells: dict[str, str | None] = {}
    for field, value in values.items():
        if isinstance(value, bool):
            cells[field] = str(value).lower()
        elif isinstance(value, float):
            cells[field] = None if value != value else str(int(value)) if value.is_integer() else str(value)
        elif value is None or isinstance(value, str):
            cells[field] = value
        elif isinstance(value, int):
            cells[field] = str(value)
        else:
            return Record(row, None, problem=f"its {field} is a {type(value).__name__}, not text")
    return Record(row, **cells)


def _encodable(text: str) -> bool:
    """Is there no lone surrogate in it, that is, no byte that could not be decoded?"""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
