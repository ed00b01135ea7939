"""The lines of a text file or stream: bounded, without marks of byte order, and read again where a row is broken."""

import io
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from stages.errors import DataError
from stages.messages import short
from stages.reading.dialect import Dialect

MARK = "\ufeff"  # of byte order; within a file where files with such marks were joined
LONGEST_OVER_LINES = 20_000_000  # characters of a row of several lines; a longer one is a quote that was never closed
MOST_LINES = 100_000  # of a row; more are such a quote, too
MOST_LINES_AGAIN = 5_000_000  # that are read again, for all broken rows of a file together
MOST_READ_AGAIN = 100_000_000  # characters, for all broken rows of a file together


class Row(NamedTuple):
    """One row as written."""

    number: int  # line that it starts on (text formats), or its number (workbooks), from 1
    cells: Sequence[str | None] | dict[str, Any] | None  # None: they can't be told apart
    problem: str | None = None  # why it can't be used
    raw: str = ""  # its lines, or its JSON, as written; empty for workbooks


class UnclosedQuoteError(Exception):
    """The lines of a row are longer than any row: a quote was never closed."""


class Lines:
    """Yields the lines of a text stream, and keeps those of the row being read.

    Args:
        stream: With its line ends as they are.
        name: What messages call it.
        dialect: Its longest row, and how messages name settings.

    Attributes:
        first: Number of the line that the row being read starts on.
    """

    def __init__(self, stream: io.TextIOWrapper, name: str, dialect: Dialect) -> None:
        self._stream, self._name, self._dialect = stream, name, dialect
        self._waiting: deque[str] = deque()  # to be read again
        self._row: list[str] = []
        self._size = self._read_again = self._lines_again = 0
        self.first = 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else self._read_line()
        if not line:
            raise StopIteration
        self._size += len(line)
        longest = min(self._dialect.longest, LONGEST_OVER_LINES)
        if self._row and (self._size > longest or len(self._row) >= MOST_LINES):
            self._waiting.appendleft(line)
            raise UnclosedQuoteError
        self._row.append(line)
        return line.removeprefix(MARK) if len(self._row) == 1 else line

    def _read_line(self) -> str:
        longest = self._dialect.longest
        line = self._stream.readline(longest + 1)
        if len(line) > longest:
            number = self.first + len(self._row)
            raise DataError(
                f"{self._name} row {number} is longer than {longest:,} characters. Give each row a line of its own, "
                f"or correct {self._dialect.settings.format}."
            )
        return line

    @property
    def raw(self) -> str:
        """The lines of the row being read."""
        return "".join(self._row)

    def next_row(self) -> None:
        """Say that the lines read so far are whole rows."""
        self.first += len(self._row)
        self._row, self._size = [], 0

    def again(self) -> None:
        """Read the lines of the row once more."""
        self._waiting.extendleft(reversed(self._row))
        self._row, self._size = [], 0

    def back_to_second(self) -> None:
        """Make the first line a row by itself, and read the other lines of the row again.

        Raises:
            DataError: So much was read again that the quotes of the file mean something else.
        """
        self._read_again += sum(map(len, self._row[1:]))
        self._lines_again += len(self._row) - 1
        if self._read_again > MOST_READ_AGAIN or self._lines_again > MOST_LINES_AGAIN:
            settings = self._dialect.settings
            raise DataError(
                f"{self._name} row {self.first}: too many rows up to here open a quote but don't close it. "
                f"{settings.set(settings.quoting)} if quotes are plain characters."
            )
        self._waiting.extendleft(reversed(self._row[1:]))
        self._row = self._row[:1]


def decode(file: BinaryIO, dialect: Dialect) -> io.TextIOWrapper:
    """Return a text stream; bytes that can't be decoded become lone surrogates, so that messages can name the row.

    Raises:
        DataError: Python has no such text encoding.
    """
    encoding, setting = dialect.encoding, dialect.settings.encoding
    try:
        codec = "utf-8-sig" if is_utf8(encoding) else encoding
        return io.TextIOWrapper(file, encoding=codec, errors="surrogateescape", newline="")
    except (LookupError, ValueError) as error:  # unknown, or of bytes, as base64 is; ValueError: a name with a NUL
        raise DataError(
            f"{setting.partition(':')[0].removesuffix(' {}')}: Python has no text encoding {short(encoding)}. "
            "Give one such as utf-8, latin-1, cp1252 or utf-16."
        ) from error


def is_utf8(encoding: str) -> bool:
    """Return whether an encoding is UTF-8, by any of its names."""
    return encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig")
