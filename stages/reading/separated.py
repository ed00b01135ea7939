"""Rows of CSV and TSV. A broken row is one row: the reader goes on with the line after the one that it starts on."""

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from stages.errors import DataError
from stages.messages import counted
from stages.reading.dialect import DELIMITERS, Dialect
from stages.reading.lines import Lines, Row, UnclosedQuoteError
from stages.reading.stray_quotes import refuse_joined

LONGEST_FIELD = 10_000_000  # characters; a longer one is a quote that was never closed
MOST_BROKEN = 1_000  # rows before the first that can be read, in a file without a header
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)  # the first line of a file that Excel is to read


OFTEN = (";", "\t", "|", ",")  # what a file is often divided by


class Separated(NamedTuple):
    """The rows of a CSV or TSV file."""

    names: list[str]  # of the columns; none where there are only blank lines
    rows: Iterator[Row]
    delimiter: str  # as the dialect or the line `sep=;` has it


def read_separated(lines: Lines, name: str, dialect: Dialect) -> Separated:
    """Return the names of the columns, and the rows: with as many cells as names, or with a problem.

    Args:
        lines: Of the file.
        name: What messages call it.
        dialect: How it is written. Without a header, the names are numbers from 0, as many as the first row that can
            be read has fields.

    Raises:
        DataError: The header is broken, no row can be read, or the delimiter can't be one.
    """
    csv.field_size_limit(LONGEST_FIELD)
    delimiter = _delimiter(lines, dialect)
    parsed = _parse(lines, delimiter, dialect)
    first = next(parsed, None)
    if first is None:
        return Separated([], iter(()), delimiter)
    broken: list[Row] = []  # before the first row that tells how many columns there are
    while not dialect.header and len(broken) < MOST_BROKEN and (first.cells is None or (broken and _is_rest(first))):
        broken.append(first)
        first = next(parsed, None) or broken[0]
    if not isinstance(first.cells, list):
        settings = dialect.settings
        raise DataError(
            f"{name} row {first.number} is not {dialect.format.upper()}: {first.problem}. Correct it, or "
            f"{settings.verb.lower()} {settings.quoting} if quotes are plain characters."
        )
    cells = [str(cell) for cell in first.cells]
    if dialect.header:
        rows = _checked(parsed, len(cells), "the header")
    else:
        rows = _checked(itertools.chain(broken, [first], parsed), len(cells), f"row {first.number}")
    if dialect.quoting:
        rows = refuse_joined(rows, len(cells), delimiter, dialect.settings)
    if dialect.header:
        return Separated(cells, rows, delimiter)
    return Separated(list(map(str, range(len(cells)))), rows, delimiter)


def other_delimiter(names: Sequence[str]) -> str | None:
    """Return what the one column of a file looks divided by, from its name; None where there is no such thing."""
    return next((mark for mark in OFTEN if mark in names[0]), None) if len(names) == 1 else None


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
            problem = f"{counted(len(row.cells), 'field')}, but {of} has {width}"
        elif broken and _is_rest(row):
            problem = f"may be the rest of row {broken}, whose quotes are not closed correctly"
        else:
            broken = 0
        yield row if problem is None else row._replace(problem=problem)


def _is_rest(row: Row) -> bool:
    """Tell whether a row can be the rest of one with broken quotes."""
    return row.raw.count('"') % 2 == 1


def _parse(lines: Lines, delimiter: str, dialect: Dialect) -> Iterator[Row]:
    """Yield the rows that are not blank; those with broken quotes without cells."""
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
            f"{dialect.settings.delimiter}: {delimiter!r} can't be a delimiter. Give the character that separates the "
            "fields."
        )
    return delimiter


def _reader(lines: Lines, delimiter: str, dialect: Dialect) -> Any:
    if not dialect.quoting:
        return csv.reader(lines, delimiter=delimiter, quotechar=None, quoting=csv.QUOTE_NONE, strict=True)
    return csv.reader(lines, delimiter=delimiter, strict=True)
