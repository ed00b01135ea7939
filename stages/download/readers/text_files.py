"""Read one file, row by row, whatever its format: the columns asked for, as text, with the row's number."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from stages.download.readers.layout import (
    Layout,
    Record,
    as_record,
    encodable,
    key_of,
    missing_column,
    require_columns,
    typed_record,
)
from stages.errors import DataError

DELIMITERS = {"csv": ",", "tsv": "\t"}
LONGEST_FIELD = 10_000_000  # characters; more than that is a quote that was never closed


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
                f"{key_of(field)}: {column!r} is a name, but {name} has no header. "
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
