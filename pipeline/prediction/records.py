"""Read the rows of a text file or stream: CSV, TSV, JSON lines or plain lines. Malformed rows are kept and marked."""

import codecs
import csv
import io
import json
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from stages.errors import DataError
from stages.messages import short

DELIMITERS = {"csv": ",", "tsv": "\t"}
LONGEST = 10_000_000  # characters of a row: more is another format, or a quote that was never closed
HEAD = 65_536  # bytes that are checked before anything is read
MAGIC = {b"PAR1": "Parquet", b"PK\x03\x04": "a zip", b"\x1f\x8b": "gzip"}
WIDE = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF32_BE: "utf-32"}


class Record(NamedTuple):
    """One row as read."""

    cells: Any  # a string per column; a mapping for JSON lines
    problem: str | None  # why its form can't be read
    size: int  # characters
    line: str | None = None  # of JSON lines: the object as it was written


def open_text(file: BinaryIO, *, name: str, kind: str, encoding: str | None) -> io.TextIOWrapper:
    """Return a text stream over a file whose first bytes are text in the encoding.

    Args:
        file: Buffered, and at its start. Detach it from the result to keep it open.
        name: What messages call it.
        kind: csv, tsv, jsonl or lines.
        encoding: By Python's name; None: UTF-8, which the first bytes are checked for.

    Raises:
        DataError: Python has no such encoding, or the file is empty, binary, or in another encoding.
    """
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=encoding or "utf-8")
    except (LookupError, ValueError) as error:  # unknown, or of bytes, as base64 is; or with a NUL
        raise DataError(f"--encoding: Python has no text encoding {encoding!r}. Give one such as cp1252.") from error
    check_head(file.peek(HEAD)[:HEAD], name=name, kind=kind, encoding=encoding)  # type: ignore[attr-defined]
    utf8 = (encoding or "utf-8").lower().replace("_", "-") in ("utf-8", "utf8")
    # bytes that can't be decoded become lone surrogates, which are the same bytes when they are written again
    return io.TextIOWrapper(file, encoding="utf-8-sig" if utf8 else encoding, errors="surrogateescape", newline="")


def read_records(stream: io.TextIOWrapper, *, name: str, kind: str) -> tuple[list[str] | None, Iterator[Record]]:
    """Return the column names of a text stream, and its rows.

    Args:
        stream: From `open_text`.
        name: What messages call it.
        kind: csv, tsv, jsonl or lines.

    Returns:
        The names of the columns, None for JSON lines, where each row has its own; and the rows.

    Raises:
        DataError: The first line is malformed, or a quote is never closed.
    """
    if kind == "jsonl":
        return None, _objects(stream, name)
    if kind == "lines":
        return ["text"], (Record([line.rstrip("\r\n")], None, len(line)) for _, line in _lines(stream, name))
    lines = _RowLines(stream, name)
    csv.field_size_limit(LONGEST)
    reader = csv.reader(lines, delimiter=DELIMITERS[kind], strict=True)
    try:
        names = next(reader, [])
    except csv.Error as error:
        raise DataError(
            f"{name} line 1 is not {kind.upper()}: {error}. Give the file's format with --format."
        ) from error
    return names, _separated(reader, lines, names, name=name, delimiter=DELIMITERS[kind])


def check_head(head: bytes, *, name: str, kind: str, encoding: str | None) -> None:
    """Check the first bytes of a file.

    Raises:
        DataError: The file is empty, or is not text in the encoding.
    """
    if not head:
        raise DataError(f"{name} is empty (0 bytes). Give a file with rows.")
    actual = next((actual for magic, actual in MAGIC.items() if head.startswith(magic)), None)
    if actual:
        raise DataError(f"{name}: expected {kind}, got {actual}. Unpack it, or give its format with --format.")
    wide = next((wide for bom, wide in WIDE.items() if head.startswith(bom)), None)
    if encoding is None and wide:
        raise DataError(f"{name}: expected UTF-8, got {wide.upper()}. Add: --encoding {wide}")
    if encoding is None and b"\0" in head:
        raise DataError(
            f"{name}: expected {kind}, got a binary file (byte 0 at position {head.index(0)}). Give a text file."
        )
    if encoding is None:
        _check_utf8(head, name)


def _check_utf8(head: bytes, name: str) -> None:
    """Refuse a file of which no letter beyond ASCII is UTF-8; where some are, the others are errors of their rows."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text = decoder.decode(head)  # without the last letter, where the head ends within it
    bad = next((index for index, letter in enumerate(text) if "\udc80" <= letter <= "\udcff"), None)
    if bad is None or any(letter > "\x7f" and not "\udc80" <= letter <= "\udcff" for letter in text):
        return
    byte, line = ord(text[bad]) - 0xDC00, text.count("\n", 0, bad) + 1
    raise DataError(
        f"{name} line {line} is not UTF-8 (byte 0x{byte:02x}). Give the file's encoding, such as --encoding cp1252. "
        "With --encoding utf-8, only the rows that are not UTF-8 get an error."
    )


class _RowLines:
    """Yields lines, and keeps those of the row that is being read, so that a malformed row can be kept unchanged."""

    def __init__(self, stream: io.TextIOWrapper, name: str) -> None:
        self._lines = _lines(stream, name)
        self._name = name
        self.lines: list[str] = []
        self.number = 0  # lines read
        self._size = 0  # characters of the row's lines

    def __iter__(self) -> "_RowLines":
        return self

    def __next__(self) -> str:
        self.number, line = next(self._lines)
        self.lines.append(line)
        self._size += len(line)
        if self._size > LONGEST:
            first = self.number - len(self.lines) + 1
            raise DataError(f"{self._name} line {first} opens a quote that is never closed. Close it.")
        return line

    def start_row(self) -> int:
        """Forget the lines of the last row; return the number of the next one's first line."""
        self.lines, self._size = [], 0
        return self.number + 1


def _separated(
    reader: Iterator[list[str]], lines: _RowLines, names: list[str], *, name: str, delimiter: str
) -> Iterator[Record]:
    while True:
        first = lines.start_row()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raw = "".join(lines.lines)
            if "end of data" in str(error):
                raise DataError(f"{name} line {first} opens a quote that is never closed. Close it.") from error
            yield Record(
                [raw.rstrip("\r\n"), *[""] * (len(names) - 1)], f"line {first} is malformed: {error}", len(raw)
            )
            continue
        size = sum(map(len, lines.lines))
        if len(cells) == len(names):
            yield Record(cells, None, size)
        elif cells:  # not a blank line
            problem = f"line {first} has {len(cells)} fields, but the header has {len(names)}"
            kept, rest = cells[: len(names)], cells[len(names) :]
            kept[-1:] = [delimiter.join([*kept[-1:], *rest])]
            yield Record(kept + [""] * (len(names) - len(kept)), problem, size)


def _lines(stream: io.TextIOWrapper, name: str) -> Iterator[tuple[int, str]]:
    number = 0
    while line := stream.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise DataError(
                f"{name} line {number} has more than {LONGEST:,} characters. Divide it, or give the file's format with "
                "--format."
            )
        yield number, line


def _objects(stream: io.TextIOWrapper, name: str) -> Iterator[Record]:
    for number, line in _lines(stream, name):
        if line.isspace():
            continue
        try:
            value = json.loads(line, object_pairs_hook=_object, parse_constant=_refuse)
            problem = (
                None
                if isinstance(value, dict)
                else f"line {number}: expected a JSON object, got {type(value).__name__}"
            )
        except (ValueError, RecursionError) as error:  # ValueError: also an integer of thousands of digits
            value, problem = None, f"line {number} is not JSON: {error}"
        if problem is None:
            yield Record(value, None, len(line), line.strip())
        else:
            yield Record({"line": line.rstrip("\r\n")}, problem, len(line))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {short(repeated)} is repeated")
    return values


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")
