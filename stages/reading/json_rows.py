"""Rows of JSON: an object per line (jsonl), or one array of objects (json), also one under a key of one object."""

import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from stages.errors import DataError
from stages.messages import short
from stages.reading.dialect import Dialect
from stages.reading.lines import MARK, Lines, Row

LONGEST_INTEGER = 4_000  # digits; Python refuses to convert more, and a row only needs their digits
CHUNK = 1 << 20  # characters that are read at once
CUT = 16  # characters before the end of what was read, in which an error can come from the cut: \\uD83D, -Infinity
BLANKS = re.compile(r"[ \t\n\r]*")
LINE_BREAK = re.compile(r"[ \t]*[\r\n][ \t\r\n]*")  # in JSON it stands between tokens alone


def read_json_lines(lines: Lines, name: str, dialect: Dialect) -> Iterator[Row]:
    """Yield the rows of JSON lines: objects, or a problem.

    Args:
        lines: Of the file.
        name: What messages call it.
        dialect: How messages name the format.

    Raises:
        DataError: The file is one JSON array, or one object over many lines.
    """
    started, parser = False, _Parser()
    for line in lines:
        number = lines.first
        lines.next_row()
        if not line.strip():
            continue
        if not started and (whole := _whole_file(line)):
            raise DataError(f"{name} is {whole}, not JSON lines (one object per line). {_setting(dialect, 'json')}.")
        started = True
        try:
            value = parser.decode(line)
        except (ValueError, RecursionError) as error:
            yield Row(number, None, f"not JSON: {error}", line)
            continue
        yield parser.row(number, value, line.strip())


def read_json(stream: io.TextIOWrapper, name: str, dialect: Dialect) -> Iterator[Row]:
    """Yield the rows of one JSON array, or of the one array of rows under a key of one object, in bounded memory.

    Args:
        stream: The text.
        name: What messages call it.
        dialect: Its longest row.

    Raises:
        DataError: It is no JSON, or has no array of rows, or several.
    """
    text = _Json(stream, name, dialect)
    start = text.peek()
    if start == "[":
        yield from text.array()
    elif start == "{":
        yield from _rows_of_object(text)
    else:
        raise text.error("expected [ or {" if start else "it has no rows")
    if rest := text.peek():
        hint = f"; JSON lines (one object per line) are another format: {text.setting('jsonl')}" if rest == "{" else ""
        raise text.error(f"there is more after its end{hint}")


class _Parser:
    """Parses the JSON of rows; a key that is there twice is a problem, as nobody knows which one counts."""

    def __init__(self) -> None:
        decoder = json.JSONDecoder(object_pairs_hook=self._object, parse_int=_integer)
        self.decode, self.raw_decode = decoder.decode, decoder.raw_decode
        self._repeated: str | None = None

    def row(self, number: int, value: Any, raw: str) -> Row:
        """Return the row of the value that was parsed last."""
        repeated, self._repeated = self._repeated, None
        if repeated is not None:
            return Row(number, None, f"the key {short(repeated)} is repeated", raw)
        if isinstance(value, dict):
            return Row(number, value, None, raw)
        return Row(number, None, f"expected a JSON object, got {type(value).__name__}", raw)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            self._repeated = next(name for name, count in counts.items() if count > 1)
        return values


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= LONGEST_INTEGER else digits


def _whole_file(line: str) -> str | None:
    """Return what a file is whose first line that is not blank begins one JSON value over many lines."""
    start = line.strip()
    if start in ("[", "{"):
        return "one JSON array" if start == "[" else "one JSON object"
    return "one JSON array" if start.startswith("[") and start[1:].lstrip().startswith("{") else None


def _rows_of_object(text: "_Json") -> Iterator[Row]:
    """The rows of the one key whose value is an array of objects."""
    found: str | None = None
    text.take("{")
    while text.peek() == '"':
        key, _ = text.value()
        text.take(":")
        if text.peek() == "[":
            if found is not None:
                raise text.error(
                    f"both {short(found)} and {short(key)} are arrays. Keep only the one that holds the rows"
                )
            found = str(key)
            yield from text.array()
        else:
            text.value()
        if text.peek() != ",":
            break
        text.take(",")
    text.take("}")
    if found is None and text.peek() == "{":
        raise text.error(f"JSON lines (one object per line) are another format: {text.setting('jsonl')}")
    if found is None:
        raise text.error("it is one object without an array of rows. From pandas: to_json(orient='records')")


def _setting(dialect: Dialect, file_format: str) -> str:
    name = dialect.settings.format
    return dialect.settings.set(f"{name} {file_format}" if name.startswith("-") else f"{name}: {file_format}")


def _end_of_blanks(text: str, start: int) -> int:
    blanks = BLANKS.match(text, start)
    return blanks.end() if blanks else start


class _Json:
    """JSON that is parsed value by value, so that only one value is in memory.

    Args:
        stream: The text.
        name: What messages call it.
        dialect: The longest value.
    """

    def __init__(self, stream: io.TextIOWrapper, name: str, dialect: Dialect) -> None:
        self._stream, self._name, self._dialect = stream, name, dialect
        self._text, self._at, self._line, self._ended = "", 0, 1, False
        self._parser, self._rows = _Parser(), 0

    def error(self, problem: str) -> DataError:
        """Return the error for the place that was read to."""
        return DataError(
            f"{self._name} line {self._line} is not JSON with an array of rows: {problem.rstrip('.')}. "
            f"Correct the file, or {self._dialect.settings.format}."
        )

    def setting(self, file_format: str) -> str:
        """Return the advice to set another format."""
        return _setting(self._dialect, file_format)

    def peek(self) -> str:
        """Return the next character that is no blank; empty at the end."""
        while True:
            end = _end_of_blanks(self._text, self._at)
            if self._text.startswith(MARK, end):
                end += 1
            self._move(end)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read(CHUNK):
                return ""

    def take(self, character: str) -> None:
        """Move past a character.

        Raises:
            DataError: Another one comes.
        """
        if (got := self.peek()) != character:
            raise self.error(f"expected {character}, got {short(got) if got else 'the end of the file'}")
        self._move(self._at + 1)

    def value(self) -> tuple[Any, str]:
        """Return the next value, and how it is written.

        Raises:
            DataError: It is no JSON, or too long.
        """
        self.peek()
        while True:
            try:
                value, end = self._parser.raw_decode(self._text, self._at)
                if end < len(self._text) or self._ended:  # else a number may go on
                    raw = self._text[self._at : end]
                    self._move(end)
                    return value, raw
            except json.JSONDecodeError as error:
                cut = "Unterminated string" in error.msg or error.pos >= len(self._text) - CUT  # it may be the cut
                if not cut or self._ended:
                    ends = "Unterminated string" in error.msg or error.pos >= len(self._text.rstrip())
                    self._move(error.pos)
                    raise self.error("the file ends within a row: it is truncated" if ends else error.msg) from error
            except (ValueError, RecursionError) as error:
                raise self.error(str(error)) from error
            size = len(self._text) - self._at
            if size > self._dialect.longest:
                raise self.error(f"a row is longer than {self._dialect.longest:,} characters")
            self._read(max(CHUNK, size))

    def array(self) -> Iterator[Row]:
        """Yield the rows of the array that comes next."""
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        while True:
            value, raw = self.value()
            self._rows += 1
            yield self._parser.row(self._rows, value, LINE_BREAK.sub(" ", raw))
            if self.peek() != ",":
                break
            self.take(",")
        self.take("]")

    def _move(self, position: int) -> None:
        self._line += self._text.count("\n", self._at, position)
        self._at = position

    def _read(self, size: int) -> bool:
        """Read more; return whether there was any."""
        more = self._stream.read(size)
        self._ended = not more
        self._text, self._at = self._text[self._at :] + more, 0
        return bool(more)
