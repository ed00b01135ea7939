"""Rows of CSV and TSV. A broken row is one row: the reader goes on with the line after the one that it starts on."""

import csv
import re
from collections.abc import Iterator
from typing import Any

from stages.errors import DataError
from stages.reading.dialect import DELIMITERS, Dialect
from stages.reading.lines import Lines, Row, UnclosedQuoteError

LONGEST_FIELD = 10_000_000  # characters; a longer one is a quote that was never closed
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)  # the first line of a file that Excel is to read


def read_separated(lines: Lines, name: str, dialect: Dialect) -> tuple[list[str], Iterator[Row]]:
    """Return the names of the columns, and the rows: with as many cells as names, or with a problem.

    Args:
        lines: Of the file.
        name: What messages call it.
        dialect: How it is written. Without a header, the names are numbers from 0.

    Returns:
        No names where there are only blank lines; and the rows.

    Raises:
        DataError: The first row is broken, or the delimiter can't be one.
    """
    csv.field_size_limit(LONGEST_FIELD)
    parsed = _parse(lines, name, dialect)
    first = next(parsed, None)
    if first is None:
        return [], iter(())
    if not isinstance(first.cells, list):
        settings = dialect.settings
        raise DataError(
            f"{name} row {first.number} is not {dialect.format.upper()}: {first.problem}. Correct it, or "
            f"{settings.set(settings.quoting).lower()} where quotes are plain characters."
        )
    cells = [str(cell) for cell in first.cells]
    if dialect.header:
        return cells, _checked(parsed, len(cells), "the header")
    return list(map(str, range(len(cells)))), _checked(_chain(first, parsed), len(cells), "the first row")


def _chain(first: Row, rest: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rest


def _checked(rows: Iterator[Row], width: int, of: str) -> Iterator[Row]:
    """Mark rows of another width, and rows that may be the rest of one whose quotes are broken.

    What follows a broken quote can look like a row: `end of the text",spam`. Rows count again from the first one whose
    quotes come in pairs.
    """
    broken = 0  # line of the last broken quote, after which no row was good
    for row in rows:
        problem = row.problem
        if row.cells is None:
            broken = row.number
        elif len(row.cells) != width:
            problem = f"{len(row.cells)} fields, but {of} has {width}"
        elif broken and row.raw.count('"') % 2:
            problem = f"can be the rest of row {broken}, whose quotes are broken"
        else:
            broken = 0
        yield row if problem is None else row._replace(problem=problem)


def _parse(lines: Lines, name: str, dialect: Dialect) -> Iterator[Row]:
    """Yield the rows that are not blank; those with broken quotes without cells."""
    delimiter = _delimiter(lines, dialect)
    reader = _reader(lines, delimiter, dialect)
    while True:
        lines.next_row()
        try:
            cells = next(reader, None)
        except (csv.Error, UnclosedQuoteError) as error:
            problem = _problem(error)
            lines.back_to_second()
            yield Row(lines.first, None, problem, lines.raw)
            continue
        if cells is None:
            return
        if cells:
            yield Row(lines.first, cells, raw=lines.raw)


def _problem(error: Exception) -> str:
    if isinstance(error, UnclosedQuoteError) or "end of data" in str(error):
        return "it opens a quote that is never closed"
    if "field larger" in str(error):
        return f"a field is longer than {LONGEST_FIELD:,} characters: maybe a quote is never closed"
    return "a quote stands inside a quoted field, where it must be doubled"


def _delimiter(lines: Lines, dialect: Dialect) -> str:
    """Return the delimiter, and read the line that names it for Excel, where there is one.

    Raises:
        DataError: It can't be one.
    """
    first = next(lines, "")
    named = SEPARATOR_LINE.fullmatch(first)
    lines.next_row() if named else lines.again()
    delimiter = dialect.delimiter or (named[1] if named else DELIMITERS[dialect.format])
    if len(delimiter) != 1 or delimiter in ("\r", "\n") or (delimiter == '"' and dialect.quoting):
        raise DataError(
            f"{dialect.settings.delimiter}: {delimiter!r} can't be between fields. Give the character that is."
        )
    return delimiter


def _reader(lines: Lines, delimiter: str, dialect: Dialect) -> Any:
    if not dialect.quoting:
        return csv.reader(lines, delimiter=delimiter, quotechar=None, quoting=csv.QUOTE_NONE, strict=True)
    return csv.reader(lines, delimiter=delimiter, strict=True)
