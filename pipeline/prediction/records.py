"""Rows of a text file or stream, one by one: CSV, TSV, JSON lines or plain lines, a bad one named and not dropped."""

import codecs
import csv
import io
import json
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from stages.errors import DataError

DELIMITERS = {"csv": ",", "tsv": "\t"}
LONGEST = 10_000_000  # characters of a line or a field; more than that is a quote that was never closed
HEAD = 65_536  # bytes that are looked at before anything is read
MAGIC = {b"PAR1": "Parquet", b"PK\x03\x04": "a zip", b"\x1f\x8b": "gzip"}
WIDE = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF32_BE: "utf-32"}


class Record(NamedTuple):
    """One row as read."""

    cells: Any  # a string per column; a mapping for JSON lines
    problem: str | None  # why its form can't be read, where it can't
    size: int  # characters


def open_text(file: BinaryIO, *, name: str, kind: str, encoding: str | None) -> io.TextIOWrapper:
    """Open a text file or stream, whose first bytes must look like text of this encoding.

    Args:
        file: At its start; buffered. Detach it from the result to keep it open.
        name: What messages call it.
        kind: csv, tsv, jsonl or lines.
        encoding: By Python's name; None: UTF-8, unless the first bytes show that it is something else.

    Raises:
        DataError: The file is empty, binary, or in another encoding.
    """
    try:
        codecs.lookup(encoding or "utf-8")
    except LookupError as error:
        raise DataError(f"--encoding: Python knows no encoding {encoding!r}. Give one such as cp1252.") from error
    check_head(file.peek(HEAD)[:HEAD], name=name, kind=kind, encoding=encoding)  # type: ignore[attr-defined]
    utf8 = (encoding or "utf-8").lower().replace("_", "-") in ("utf-8", "utf8")
    # Bytes that the encoding does not have become lone surrogates, and are the same bytes when they are written again.
    return io.TextIOWrapper(file, encoding="utf-8-sig" if utf8 else encoding, errors="surrogateescape", newline="")


def read_records(stream: io.TextIOWrapper, *, name: str, kind: str) -> tuple[list[str] | None, Iterator[Record]]:
    """Read text row by row.

    Args:
        stream: From `open_text`.
        name: What messages call it.
        kind: csv, tsv, jsonl or lines.

    Returns:
        The columns' names (None for JSON lines, where each row has its own), and the rows.

    Raises:
        DataError: The text is not of this kind, or a quote is never closed.
    """
    if kind == "jsonl":
        return None, _objects(stream, name)
    if kind == "lines":
        return ["text"], (Record([line.rstrip("\r\n")], None, len(line)) for _, line in _lines(stream, name))
    lines = _Remembered(stream)
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
    """Look at a file's first bytes.

    Raises:
        DataError: They are none, or are not text of this encoding.
    """
    if not head:
        raise DataError(f"{name} is empty (0 bytes). Give rows.")
    found = next((found for magic, found in MAGIC.items() if head.startswith(magic)), None)
    if found:
        raise DataError(f"{name} is not {kind} but {found}. Unpack it, or give its format with --format.")
    wide = next((wide for bom, wide in WIDE.items() if head.startswith(bom)), None)
    if encoding is None and wide:
        raise DataError(f"{name} is not UTF-8 but {wide.upper()}. Add: --encoding {wide}")
    if encoding is None and b"\0" in head:
        raise DataError(f"{name} is a binary file (byte 0 at position {head.index(0)}), not {kind}. Give a text file.")
    if encoding is None:
        _check_utf8(head, name)


def _check_utf8(head: bytes, name: str) -> None:
    """One broken row among good ones is that row's error; a file in which no letter beyond ASCII is good is foreign."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text = decoder.decode(head)  # a letter that the end of the head cuts in two is held back
    bad = next((place for place, letter in enumerate(text) if "\udc80" <= letter <= "\udcff"), None)
    if bad is None or any(letter > "\x7f" and not "\udc80" <= letter <= "\udcff" for letter in text):
        return
    byte, line = ord(text[bad]) - 0xDC00, text.count("\n", 0, bad) + 1
    raise DataError(
        f"{name} line {line} is not UTF-8 (byte 0x{byte:02x}). Name the file's encoding, such as --encoding cp1252; "
        "with --encoding utf-8 only the rows that are not UTF-8 get an error."
    )


class _Remembered:
    """Passes lines on and keeps those of the row that is being read, so that a bad row can be kept as it is."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._stream = stream
        self.lines: list[str] = []
        self.number = 0  # lines read

    def __iter__(self) -> "_Remembered":
        return self

    def __next__(self) -> str:
        line = self._stream.readline(LONGEST + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.lines.append(line)
        return line


def _separated(
    reader: Iterator[list[str]], lines: _Remembered, names: list[str], *, name: str, delimiter: str
) -> Iterator[Record]:
    while True:
        first, lines.lines = lines.number + 1, []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raw = "".join(lines.lines)
            if "end of data" in str(error) or len(raw) > LONGEST:
                raise DataError(f"{name} line {first}: a quote is opened and never closed. Close it.") from error
            yield Record(
                [raw.rstrip("\r\n"), *[""] * (len(names) - 1)], f"line {first} is malformed: {error}", len(raw)
            )
            continue
        size = sum(map(len, lines.lines))
        if len(cells) == len(names):
            yield Record(cells, None, size)
        elif cells:  # not a blank line
            problem = f"line {first} has {len(cells)} fields, the header {len(names)}"
            kept, rest = cells[: len(names)], cells[len(names) :]
            kept[-1:] = [delimiter.join([*kept[-1:], *rest])]
            yield Record(kept + [""] * (len(names) - len(kept)), problem, size)


def _lines(stream: io.TextIOWrapper, name: str) -> Iterator[tuple[int, str]]:
    number = 0
    while line := stream.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise DataError(
                f"{name} line {number} has over {LONGEST:,} characters. Give the file's format with --format."
            )
        yield number, line


def _objects(stream: io.TextIOWrapper, name: str) -> Iterator[Record]:
    for number, line in _lines(stream, name):
        if line.isspace():
            continue
        try:
            value = json.loads(line)
            problem = None if isinstance(value, dict) else f"line {number} is no JSON object but {type(value).__name__}"
        except (json.JSONDecodeError, RecursionError) as error:
            value, problem = None, f"line {number} is not JSON: {error}"
        yield Record(value if problem is None else {"line": line.rstrip("\r\n")}, problem, len(line))
