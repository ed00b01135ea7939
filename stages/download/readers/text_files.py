"""Read the rows of text files: CSV, TSV, JSON lines, plain lines, and folders of text files."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from stages.download.readers.record import (
    LONGEST,
    ReadOptions,
    Record,
    ambiguous_column,
    encodable,
    missing_column,
    params_key,
    record_of,
    require_columns,
    typed_record,
)
from stages.download.regular_files import files_below, open_file
from stages.errors import DataError
from stages.messages import plain, short

MOST_KEYS = 10_000  # of JSON objects that are remembered for a message
LONGEST_INTEGER = 4_000  # digits
DELIMITERS = {"csv": ",", "tsv": "\t"}
LONGEST_FIELD = 10_000_000  # characters of a csv field; a longer one is a quote that was never closed


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
    with open_file(path, name) as file:
        lines = _Lines(decode(file, options.encoding), name)
        try:
            yield from readers[options.format](lines, name, options)
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
    for row, file in enumerate(files_below(path, name).files, start=1):
        parts = file.relative_to(path).parts
        if len(parts) < 2:
            raise DataError(f"{name}: the file {plain(parts[0])} is not in the folder of a class. Move it into one.")
        with open_file(file, f"{name}/{'/'.join(parts)}") as binary:
            try:
                text = decode(binary, options.encoding).read(LONGEST + 1)
            except UnicodeError as error:
                yield Record(row, None, id="/".join(parts), problem=f"it is not {options.encoding}: {error}")
                continue
        yield record_of(row, {"text": text, "label": parts[0], "id": "/".join(parts)})


def decode(file: BinaryIO, encoding: str) -> io.TextIOWrapper:
    """Return a text stream; bytes that can't be decoded become lone surrogates, so that messages can name the row.

    Raises:
        DataError: Python has no such text encoding.
    """
    try:
        codec = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
        return io.TextIOWrapper(file, encoding=codec, errors="surrogateescape", newline="")
    except (LookupError, ValueError) as error:  # ValueError: a name with a NUL
        raise DataError(
            f"download.dataset.encoding: Python has no text encoding {short(encoding)}. "
            "Give one such as utf-8, latin-1, cp1252 or utf-16."
        ) from error


class _Lines:
    """The lines of a text stream, without the risk that a file without line ends is read in one piece.

    Args:
        stream: With its line ends as they are.
        name: What messages call it.

    Attributes:
        row: Line that the row being read starts on; the reader sets it with `next_row`.
    """

    def __init__(self, stream: io.TextIOWrapper, name: str) -> None:
        self._stream, self._name = stream, name
        self.row, self._left = 1, LONGEST

    def next_row(self, row: int) -> None:
        """Say that the lines read so far are whole rows."""
        self.row, self._left = row, LONGEST

    def __iter__(self) -> Iterator[str]:
        while line := self._stream.readline(self._left + 1):
            self._left -= len(line)
            if self._left < 0:
                raise DataError(
                    f"{self._name} row {self.row} is longer than {LONGEST:,} characters. Give each row a line of "
                    "its own, or correct download.dataset.format."
                )
            yield line


def _separated(lines: _Lines, name: str, options: ReadOptions) -> Iterator[Record]:
    csv.field_size_limit(LONGEST_FIELD)
    reader = _csv_reader(lines, options)
    names, positions = None, {}
    try:
        for fields in reader:
            row, is_header = lines.row, names is None and options.header
            lines.next_row(reader.line_num + 1)
            if not fields:  # a blank line
                continue
            if names is None:
                names = fields if options.header else [str(number) for number in range(len(fields))]
                positions = _positions(names, name, options)
            if is_header:
                continue
            if len(fields) == len(names):
                yield record_of(row, {field: fields[position] for field, position in positions.items()})
            else:
                yield Record(row, None, problem=f"{len(fields)} fields, but the first line has {len(names)}")
    except csv.Error as error:
        raise DataError(
            f"{name} row {lines.row} is not {options.format.upper()}: {error}. Close the quote, "
            "or set download.dataset.quoting: false where quotes are plain characters."
        ) from error


def _csv_reader(lines: _Lines, options: ReadOptions) -> Any:
    delimiter, quote = options.delimiter or DELIMITERS[options.format], '"' if options.quoting else None
    if delimiter in ("\r", "\n", quote):
        raise DataError(
            f"download.dataset.delimiter: {delimiter!r} can't be between fields. Give the character that is."
        )
    if quote is None:
        return csv.reader(iter(lines), delimiter=delimiter, quotechar=None, quoting=csv.QUOTE_NONE, strict=True)
    return csv.reader(iter(lines), delimiter=delimiter, strict=True)


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
                f"{params_key(field)}: {short(column)} is a name, but {name} has no header. "
                f"Give a number from 0 to {len(names) - 1}, or set download.dataset.header: true."
            )
        matches = [position for position, present in enumerate(names) if present == str(column)]
        if len(matches) > 1:
            raise ambiguous_column(name, column, names)
        if not matches:
            raise missing_column(name, field, column, names)
        positions[field] = matches[0]
    return positions


def _lines(lines: _Lines, name: str, options: ReadOptions) -> Iterator[Record]:
    for row, line in enumerate(lines, start=1):
        lines.next_row(row + 1)
        yield record_of(row, {"text": line.rstrip("\r\n")})


def _json_lines(lines: _Lines, name: str, options: ReadOptions) -> Iterator[Record]:
    seen: dict[str, None] = {}  # a row may lack a key, so a column is missing only where all rows lack it
    needed, read = set(map(str, options.columns.values())), False
    for row, line in enumerate(lines, start=1):
        lines.next_row(row + 1)
        if not line.strip():
            continue
        try:
            values = json.loads(line, parse_int=_integer)
            if not isinstance(values, dict):
                yield Record(row, None, problem=f"expected a JSON object, got {type(values).__name__}")
                continue
            record = typed_record(row, {field: values.get(str(column)) for field, column in options.columns.items()})
        except (ValueError, RecursionError) as error:
            yield Record(row, None, problem=f"not JSON: {error}")
            continue
        read = True
        seen.update(dict.fromkeys(needed & values.keys() if len(seen) > MOST_KEYS else values))
        yield record
    if read:
        require_columns(name, options, filter(encodable, seen))


def _integer(digits: str) -> int | str:
    """Python refuses to convert very long numbers; a row only needs their digits."""
    return int(digits) if len(digits) <= LONGEST_INTEGER else digits
