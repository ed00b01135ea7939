"""Rows of CSV and TSV that a pair of stray quotes joins to one, although each is a row of its own.

Text with quoted line ends looks alike, so the lines must do more than split into as many cells as there are columns: in
one column each line must have a value that several other rows have there, as labels do, or they must count on, as ids.
"""

import itertools
import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence

from stages.reading.dialect import Settings
from stages.reading.lines import Row

AHEAD = 1_000  # first rows whose values are counted, and rows that are read after one of such a form
AHEAD_CHARACTERS = 20_000_000  # of these rows; ends them too
LINE_END = re.compile(r"\r\n|\r|\n")
MOST_VALUES = 1_000  # of a column that are counted
LONGEST_VALUE = 100  # characters of a value that is counted; a longer one is a text


def refuse_joined(rows: Iterator[Row], width: int, delimiter: str, settings: Settings) -> Iterator[Row]:
    """Yield the rows; one that is several rows joined by quotes has a problem.

    Args:
        rows: With their lines.
        width: Number of columns.
        delimiter: Between the cells.
        settings: How the message names what to set.
    """
    if width < 2:
        yield from rows
        return
    values, waiting, counted = _Values(width, delimiter), deque[Row](), 0
    while row := waiting.popleft() if waiting else next(rows, None):
        if row.number > counted and values.rows < AHEAD:
            values.add(row)
        if lines := lines_as_rows(row, width, delimiter):
            characters = 0
            for later in itertools.islice(rows, AHEAD - len(waiting)):
                waiting.append(later)
                values.add(later)
                counted, characters = later.number, characters + len(later.raw)
                if characters > AHEAD_CHARACTERS:
                    break
            if values.are_rows(lines):
                last = row.number + len(lines) - 1
                row = row._replace(
                    problem=f"lines {row.number} to {last} look like {len(lines)} rows that quotes join: "
                    f"{settings.verb.lower()} {settings.quoting}"  # short, because messages cut a longer one
                )
        yield row


def lines_as_rows(row: Row, width: int, delimiter: str) -> list[list[str]]:
    """Return the cells of each line of a row over several lines, if each has as many as there are columns."""
    if row.problem is not None or '"' not in row.raw or not _is_over_lines(row):
        return []
    lines = [line.split(delimiter) for line in LINE_END.split(row.raw.rstrip("\r\n"))]
    return lines if all(len(line) == width for line in lines) else []


def _is_over_lines(row: Row) -> bool:
    return LINE_END.search(row.raw.rstrip("\r\n")) is not None


class _Values:
    """The values that each column has in rows of one line, and in the lines of rows that look like several."""

    def __init__(self, width: int, delimiter: str) -> None:
        self._width, self._delimiter = width, delimiter
        self._single: list[Counter[str]] = [Counter() for _ in range(width)]
        self._joined: list[Counter[str]] = [Counter() for _ in range(width)]
        self.rows = self._suspects = 0

    def add(self, row: Row) -> None:
        """Count the values of a row."""
        if row.problem is not None or not isinstance(row.cells, list):
            return
        self.rows += 1
        if lines := lines_as_rows(row, self._width, self._delimiter):
            self._suspects += 1
            for line in lines:
                _count(self._joined, line)
        elif not _is_over_lines(row):
            _count(self._single, row.cells)

    def are_rows(self, lines: list[list[str]]) -> bool:
        """Return whether lines are rows of their own, by the values of a column."""
        return any(
            self._known(column, values) or _count_on(values) for column, values in enumerate(zip(*lines, strict=True))
        )

    def _known(self, column: int, values: Sequence[str]) -> bool:
        single, joined = self._single[column], self._joined[column]
        if 2 * self._suspects <= self.rows:  # few rows are of this form, so most values stand in the others
            return all(single[value] > 1 for value in values)
        return all(single[value] + joined[value] > 1 and value == value.strip() for value in values)


def _count(counts: Sequence[Counter[str]], cells: Sequence[str]) -> None:
    for counter, value in zip(counts, cells, strict=True):
        if value.strip() and len(value) <= LONGEST_VALUE and (len(counter) < MOST_VALUES or value in counter):
            counter[value] += 1


def _count_on(values: Sequence[str]) -> bool:
    """Return whether values are numbers that count on from line to line."""
    if not all(value.isascii() and value.isdigit() for value in values):
        return False
    numbers = list(map(int, values))
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))
