"""Read the rows of text files: CSV, TSV, JSON lines, plain lines, and folders of text files."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from stages.download.readers.record import (
    ReadOptions,
    Record,
    encodable,
    missing_column,
    params_key,
    record_of,
    require_columns,
    typed_record,
)
from stages.errors import DataError

DELIMITERS = {"csv": ",", "tsv": "\t"}
LONGEST_FIELD = 10_000_000  # characters; a longer field is a quote that was never closed


def read_text_file(path: Path, *, name: str, options: ReadOptions) -> Iterator[Record]:
    """Read the rows of a csv, tsv, jsonl or lines file in their order, in constant memory.

    Args:
        path: The file on disk.
        name: What messages call it.
        options: Its format, encoding and columns.

    Raises:
        DataError: The file is empty, is not of this format, or lacks a column.
    """
    readers = {"csv": _separated, "tsv": _separated, "jsonl": _json_lines, "lines": _lines}
    with path.open("rb") as file:
        stream = decode(file, options.encoding)
        try:
            yield from readers[options.format](stream, name, options)
        except UnicodeError as error:
            raise DataError(
                f"{name} can't be read as {options.encoding}: {error}. "
                "Set download.dataset.encoding to the file's encoding."
            ) from error


def read_folders(path: Path, *, name: str, options: ReadOptions) -> Iterator[Record]:
    """Read folders of text files: each file is a row, its top folder the label, its path the id.

    Args:
        path: The folder that holds a folder per class.
        name: What messages call it.
        options: Its encoding.

    Raises:
        DataError: It is not a folder, or a file is in no folder of a class.
    """
    if not path.is_dir():
        raise DataError(
            f"{name} is not a folder. The format folders needs a folder that holds a folder of text files per class."
        )
    files = sorted(file for file in path.rglob("*") if file.is_file())
    for row, file in enumerate(files, start=1):
        parts = file.relative_to(path).parts
        if len(parts) < 2:
            raise DataError(f"{name}: the file {parts[0]} is not in the folder of a class. Move it into one.")
        with file.open("rb") as binary:
            try:
                text = decode(binary, options.encoding).read()
            except UnicodeError as error:
                yield Record(row, None, id="/".join(parts), problem=f"it is not {options.encoding}: {error}")
                continue
        yield Record(row, text, label=parts[0], id="/".join(parts))


def decode(file: BinaryIO, encoding: str) -> io.TextIOWrapper:
    """Return a text stream; bytes that can't be decoded become lone surrogates, so that messages can name the row.

    Raises:
        DataError: Python has no such text encoding.
    """
    try:
        encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
        return io.TextIOWrapper(file, encoding=encoding, errors="surrogateescape", newline="")
    except LookupError as error:
        raise DataError(
            f"download.dataset.encoding: Python has no text encoding {encoding!r}. "
            "Give one such as utf-8, latin-1, cp1252 or utf-16."
        ) from error


def _separated(stream: io.TextIOWrapper, name: str, options: ReadOptions) -> Iterator[Record]:
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(
        stream,
        delimiter=options.delimiter or DELIMITERS[options.format],
        quoting=csv.QUOTE_MINIMAL if options.quoting else csv.QUOTE_NONE,
        strict=True,
    )
    row, names, positions = 1, None, {}
    try:
        for fields in reader:
            if not fields:  # a blank line
                row = reader.line_num + 1
                continue
            if names is None:
                names = fields if options.header else [str(number) for number in range(len(fields))]
                positions = _positions(names, name, options)
                if options.header:
                    row = reader.line_num + 1
                    continue
            if len(fields) == len(names):
                yield record_of(row, {field: fields[position] for field, position in positions.items()})
            else:
                yield Record(row, None, problem=f"{len(fields)} fields, but the first line has {len(names)}")
            row = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{name} row {row} is not {options.format.upper()}: {error}. Close the quote, "
            "or set download.dataset.quoting: false where quotes are plain characters."
        ) from error


def _positions(names: Sequence[str], name: str, options: ReadOptions) -> dict[str, int]:
    """Position in a row of the file of each field of a record."""
    if options.header and not all(map(encodable, names)):
        raise DataError(
            f"{name} row 1: the header is not {options.encoding}. Set download.dataset.encoding to the file's encoding."
        )
    positions = {}
    for field, column in options.columns.items():
        if isinstance(column, str) and not options.header:
            raise DataError(
                f"{params_key(field)}: {column!r} is a name, but {name} has no header. "
                f"Give a number from 0 to {len(names) - 1}, or set download.dataset.header: true."
            )
        matches = [position for position, present in enumerate(names) if present == str(column)]
        if len(matches) > 1:
            raise DataError(f"{name} has {len(matches)} columns {column!r}. Give each column a name of its own.")
        if not matches:
            raise missing_column(name, field, column, names)
        positions[field] = matches[0]
    return positions


def _lines(stream: io.TextIOWrapper, name: str, options: ReadOptions) -> Iterator[Record]:
    for row, line in enumerate(stream, start=1):
        yield Record(row, line.rstrip("\r\n"))


def _json_lines(stream: io.TextIOWrapper, name: str, options: ReadOptions) -> Iterator[Record]:
    seen: dict[str, None] = {}  # a row may lack a key, so a column is missing only where all rows lack it
    read = False
    for row, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Record(row, None, problem=f"not JSON: {error}")
            continue
        if not isinstance(values, dict):
            yield Record(row, None, problem=f"expected a JSON object, got {type(values).__name__}")
            continue
        read = True
        seen.update(dict.fromkeys(values))
        yield typed_record(row, {field: values.get(str(column)) for field, column in options.columns.items()})
    if read:
        require_columns(name, options, filter(encodable, seen))
