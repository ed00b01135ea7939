"""Read one file, row by row, whatever its format: the columns asked for, as text, with the row's number."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from stages.errors import DataError

DELIMITERS = {"csv": ",", "tsv": "\t"}
LONGEST_FIELD = 10_000_000  # characters; more than that is a quote that was never closed
KEPT = "slice:"  # before the name of a column that is kept as it is: as a record's field and in rows.parquet


class Record(NamedTuple):
    """One row as read: nothing checked yet but that its form can be read."""

    row: int  # line it starts at (text formats) or its number (tables, folders), from 1
    text: str | None
    text_pair: str | None = None
    label: str | None = None
    id: str | None = None
    group: str | None = None
    problem: str | None = None  # why the row's form can't be read, where it can't
    kept: tuple[str | None, ...] = ()  # further columns, in the order of `Layout.kept`


@dataclass(frozen=True)
class Layout:
    """How a file is to be read.

    Args:
        format: csv, tsv, jsonl, lines, folders, parquet, arrow or hf.
        encoding: Of the text formats, by Python's name.
        delimiter: Between the fields of csv and tsv; None: a comma, a tab.
        header: Does a csv or tsv file start with the columns' names?
        quoting: Is `"` a quote in csv and tsv?
        columns: Column of each field of a record (`text`, `label`, ...) that there is; of a further one that is kept
            the field is `slice:` with its name.
    """

    format: str
    encoding: str
    delimiter: str | None
    header: bool
    quoting: bool
    columns: Mapping[str, str | int]

    @property
    def kept(self) -> list[str]:
        """The fields of the further columns."""
        return [field for field in self.columns if field.startswith(KEPT)]


def kept_columns(columns: Iterable[str | int]) -> dict[str, str | int]:
    """Return columns that are to be kept by their field's name."""
    return {f"{KEPT}{column}": column for column in columns}


def read_text_file(path: Path, *, name: str, layout: Layout) -> Iterator[Record]:
    """Read the rows of a csv, tsv, jsonl or lines file in their order, in constant memory.

    Args:
        path: The file on disk.
        name: What the messages call it.
        layout: Its format and columns.

    Raises:
        DataError: The file is empty, is not of this format, or lacks a column.
    """
    readers = {"csv": _separated, "tsv": _separated, "jsonl": _json_lines, "lines": _lines}
    with path.open("rb") as file:
        stream = decode(file, layout.encoding)
        try:
            yield from readers[layout.format](stream, name, layout)
        except UnicodeError as error:
            raise DataError(
                f"{name} cannot be read as {layout.encoding}: {error}. Set download.dataset.encoding to the file's own."
            ) from error


def read_folders(path: Path, *, name: str, layout: Layout) -> Iterator[Record]:
    """Read a folder per class: each file in it, at any depth, is one row, and its path is the row's id.

    Args:
        path: The folder of the folders.
        name: What the messages call it.
        layout: Its encoding.

    Raises:
        DataError: It is no folder, or a file lies in none of the classes' folders.
    """
    if not path.is_dir():
        raise DataError(f"{name} is no folder. The format folders needs one, with a folder of text files per class.")
    files = sorted(file for file in path.rglob("*") if file.is_file())
    for row, file in enumerate(files, start=1):
        parts = file.relative_to(path).parts
        if len(parts) < 2:
            raise DataError(f"{name}: the file {parts[0]} lies in no class's folder. Move it into one.")
        with file.open("rb") as binary:
            try:
                text = decode(binary, layout.encoding).read()
            except UnicodeError as error:
                yield Record(row, None, id="/".join(parts), problem=f"not {layout.encoding}: {error}")
                continue
        yield Record(row, text, label=parts[0], id="/".join(parts))


def decode(file: BinaryIO, encoding: str) -> io.TextIOWrapper:
    """Decode a file; bytes that the encoding does not have become lone surrogates, so that the row can be named.

    Raises:
        DataError: Python does not know the encoding.
    """
    try:
        encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
        return io.TextIOWrapper(file, encoding=encoding, errors="surrogateescape", newline="")
    except LookupError as error:
        raise DataError(
            f"download.dataset.encoding: {encoding!r} is no text encoding that Python knows. "
            "Give one of its names, such as utf-8, latin-1, cp1252 or utf-16."
        ) from error


def _separated(stream: io.TextIOWrapper, name: str, layout: Layout) -> Iterator[Record]:
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(
        stream,
        delimiter=layout.delimiter or DELIMITERS[layout.format],
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
                yield as_record(row, {field: fields[position] for field, position in positions.items()})
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
    if layout.header and not all(map(encodable, names)):
        raise DataError(
            f"{name} row 1: the header is not {layout.encoding}. Set download.dataset.encoding to the file's own."
        )
    positions = {}
    for field, column in layout.columns.items():
        if isinstance(column, str) and not layout.header:
            raise DataError(
                f"{_key(field)}: {column!r} is a name, but {name} has no header. "
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
    return DataError(f"{name} has no column {column!r} ({_key(field)}). It has: {', '.join(present) or 'none'}.")


def _key(field: str) -> str:
    """Where in params.yaml a field's column is named."""
    return f"download.dataset.columns.{'slices' if field.startswith(KEPT) else field}"


def require_columns(name: str, layout: Layout, present: Iterable[str]) -> None:
    """Check that the columns are there.

    Raises:
        DataError: One is not; the message lists those present.
    """
    present = list(present)
    for field, column in layout.columns.items():
        if str(column) not in present:
            raise missing_column(name, field, column, present)


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
            yield Record(row, None, problem=f"no JSON: {error}")
            continue
        if not isinstance(values, dict):
            yield Record(row, None, problem=f"a JSON {type(values).__name__}, not an object")
            continue
        read = True
        seen.update(dict.fromkeys(values))
        yield typed_record(row, {field: values.get(str(column)) for field, column in layout.columns.items()})
    if read:
        require_columns(name, layout, filter(encodable, seen))


def typed_record(row: int, values: Mapping[str, Any]) -> Record:
    """A record of typed values (JSON, tables): numbers and truth values become text, 3.0 becomes 3."""
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
        elif field.startswith(KEPT):
            cells[field] = str(value)  # a date, a list: only told apart, never read
        else:
            return Record(row, None, problem=f"its {field} is a {type(value).__name__}, not text")
    return as_record(row, cells)


def as_record(row: int, cells: Mapping[str, str | None]) -> Record:
    """Put together a row's fields and the columns that are kept."""
    kept = tuple(cell for field, cell in cells.items() if field.startswith(KEPT))
    return Record(row, **{field: cell for field, cell in cells.items() if not field.startswith(KEPT)}, kept=kept)


def encodable(text: str) -> bool:
    """Is there no lone surrogate in it, that is, no byte that could not be decoded?"""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
