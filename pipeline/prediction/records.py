"""The rows of a text file, a stream or a workbook, with all their cells. Malformed rows are kept and marked."""

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from stages.errors import DataError, refusal
from stages.reading.binary import refuse_binary
from stages.reading.dialect import OPTIONS, Dialect
from stages.reading.encoding_check import check_encoding
from stages.reading.encodings import HEAD, encoding_of, first_bad_byte, guess_shown, why_no_text
from stages.reading.json_rows import read_json, read_json_lines
from stages.reading.lines import Lines, Row, decode, is_utf8
from stages.reading.packed import compression_of
from stages.reading.separated import read_separated
from stages.reading.workbook import other_sheets, read_workbook

LONGEST = 10_000_000  # characters of a row: more is another format, or a quote that was never closed
MALFORMED = "line"  # the key under which a row that is no object is kept


class Record(NamedTuple):
    """One row as read."""

    cells: Any  # a string or None per column; a mapping for JSON
    problem: str | None  # why its form can't be read
    size: int  # characters
    line: str | None = None  # of JSON: the object as it was written


def dialect_of(file_format: str, **options: Any) -> Dialect:
    """Return how a file is written, for messages that name options of the command line."""
    return Dialect(file_format, longest=LONGEST, settings=OPTIONS, **options)


def open_text(file: BinaryIO, *, name: str, dialect: Dialect, checked: bool) -> io.TextIOWrapper:
    """Return a text stream over a file whose first bytes are text.

    Args:
        file: Buffered, and at its start. Detach it from the result to keep it open.
        name: What messages call it.
        dialect: How it is written.
        checked: Check the first bytes for UTF-8, because nobody named the encoding?

    Raises:
        DataError: Python has no such encoding, or the file is empty, binary, or in another encoding.
    """
    stream = decode(file, dialect)  # bytes that can't be decoded become lone surrogates, which are written as the bytes
    try:
        head = peek(file, name)
        check_head(head, name=name, kind=dialect.format, checked=checked)
        if not checked:
            check_encoding(head, name, dialect)
    except DataError:
        stream.detach()
        raise
    return stream


def peek(file: BinaryIO, name: str) -> bytes:
    """Return the first bytes of a buffered file that is at its start; they stay to be read.

    Raises:
        DataError: The system can't read the file.
    """
    try:
        return bytes(file.peek(HEAD)[:HEAD])  # type: ignore[attr-defined]
    except OSError as error:
        raise DataError(f"{name} can't be read: {refusal(error, 'give another file')}") from error


def read_records(stream: io.TextIOWrapper, *, name: str, dialect: Dialect) -> tuple[list[str] | None, Iterator[Record]]:
    """Return the column names of a text stream, and its rows.

    Args:
        stream: From `open_text`.
        name: What messages call it.
        dialect: How it is written: csv, tsv, jsonl, json or lines.

    Returns:
        The names of the columns, None for JSON, where each row has its own; and the rows.

    Raises:
        DataError: The first row is malformed, or the file is in another format.
    """
    if dialect.format == "json":
        return None, map(_object, read_json(stream, name, dialect))
    lines = Lines(stream, name, dialect)
    if dialect.format == "jsonl":
        return None, map(_object, read_json_lines(lines, name, dialect))
    if dialect.format == "lines":
        return ["text"], _plain_lines(lines)
    names, rows, delimiter = read_separated(lines, name, dialect)
    return names, (_cells(row, len(names), delimiter) for row in rows)


def read_sheet(file: BinaryIO, *, name: str, dialect: Dialect) -> tuple[list[str], Iterator[Record], str]:
    """Return the column names of a sheet of a workbook, its rows, and a sentence that names the other sheets.

    Raises:
        DataError: It can't be read as a workbook.
    """
    names, rows, others = read_workbook(file, name, dialect)
    records = (Record(row.cells, None, sum(len(str(cell)) for cell in row.cells or ())) for row in rows)
    return names, records, other_sheets(others, dialect.settings)


def _plain_lines(lines: Lines) -> Iterator[Record]:
    for line in lines:
        lines.next_row()
        yield Record([line.rstrip("\r\n")], None, len(line))


def _object(row: Row) -> Record:
    if row.problem is None:
        return Record(row.cells, None, len(row.raw), row.raw)
    return Record({MALFORMED: row.raw.rstrip("\r\n")}, f"line {row.number}: {row.problem}", len(row.raw))


def _cells(row: Row, width: int, delimiter: str) -> Record:
    """The cells of a row, as many as there are columns; what a malformed row has too much is in the last one."""
    size = len(row.raw)
    problem = None if row.problem is None else f"line {row.number}: {row.problem}"
    if not isinstance(row.cells, list):
        return Record([row.raw.rstrip("\r\n"), *[""] * (width - 1)], problem, size)
    if len(row.cells) == width:
        return Record(row.cells, problem, size)
    cells = list(map(str, row.cells))
    kept, rest = cells[:width], cells[width:]
    kept[-1:] = [delimiter.join([*kept[-1:], *rest])]
    return Record(kept + [""] * (width - len(kept)), problem, size)


def check_head(head: bytes, *, name: str, kind: str, checked: bool) -> None:
    """Check the first bytes of a file.

    Raises:
        DataError: The file is empty, or is not text in UTF-8, which it is `checked` for.
    """
    if not head:
        raise DataError(f"{name} is empty (0 bytes). Give a file with rows.")
    if compression := compression_of(head):
        raise DataError(f"{name} is compressed twice ({compression}). Unpack it yourself, and give that file.")
    refuse_binary(head, name, kind, OPTIONS)
    if not checked:
        return
    encoding = encoding_of(head)
    if encoding.name is None:
        raise DataError(f"{name}: expected {kind}, got {why_no_text(head)}.")
    if encoding.guessed and (bad := first_bad_byte(head)):
        raise DataError(
            f"{name} line {bad[1]} is not UTF-8 (byte 0x{bad[0]:02x}). {guess_shown(encoding)} Add: --encoding "
            f"{encoding.name}. With --encoding utf-8, only the rows that are not UTF-8 get an error."
        )
    if not is_utf8(encoding.name):
        raise DataError(f"{name}: expected UTF-8, got {encoding.name.upper()}. Add: --encoding {encoding.name}")
