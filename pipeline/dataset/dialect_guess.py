"""The delimiter of a CSV file, whether the first row is a header, and which JSON a file is, by the first lines."""

import csv
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence

from pipeline.dataset.names import looks_like_name
from stages.errors import DataError
from stages.messages import plain, short

DELIMITERS = ",;\t|~^\x01"  # the first of equally good ones is taken
SEVERAL = re.compile(r"(?<=\w)[^\w\s\"',.]{2,4}(?=\w)")  # characters that divide names, where a delimiter is one
LONGEST_NAME = 80  # characters of a column's name; what is longer is a text, so there is no header
MOST_ABOVE = 5  # lines above a table


def find_delimiter(lines: Sequence[str], usual: str = ",") -> str:
    """The character that divides the most of the first lines into as many columns as the very first, two or more."""
    if usual != "," and _alike(lines, usual)[0]:
        return usual
    return max(dict.fromkeys(usual + DELIMITERS), key=lambda delimiter: _alike(lines, delimiter))


def refuse_layout(name: str, lines: Sequence[str], delimiter: str) -> None:
    """Check that the first line has the columns of a table.

    Args:
        name: What messages call the file.
        lines: The first ones.
        delimiter: What was found to divide them.

    Raises:
        DataError: It is a title or a comment above the table, or several characters divide it.
    """
    filled = [line for line in lines if line.strip()]
    if not filled or len(_cells(filled[0], delimiter)) != 1 or looks_like_name(_cells(filled[0], delimiter)[0]):
        several = SEVERAL.search(filled[0]) if filled and len(_split(filled[0], delimiter)) == 1 else None
        if several and len({line.count(several[0]) for line in filled}) == 1:
            raise DataError(
                f"{name} is separated by {short(several[0])}, but a delimiter must be one character. Replace it with "
                "one that occurs in no text, such as a tab."
            )
        return
    for number, line in enumerate(lines[: MOST_ABOVE + 1], start=1):
        cells = _cells(line, find_delimiter(lines[number - 1 :])) if line.strip() else []
        if len(cells) > 1:
            if is_header(cells) and any(map(looks_like_name, cells)):
                raise DataError(
                    f"{name} line 1, {plain(filled[0].strip())!r}, is not the header: the column names are in line "
                    f"{number}. Delete the lines above them."
                )
            return


def _split(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell for cell in _split(line, delimiter) if cell.strip()]


def _alike(lines: Sequence[str], delimiter: str) -> tuple[int, int]:
    """How many rows have the width of the first one, and that width; nothing if it is one column."""
    widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
    return (widths.count(widths[0]), widths[0]) if widths and widths[0] > 1 else (0, 0)


def is_header(names: Sequence[str]) -> bool:
    """Whether the first row holds names: none is a number or a text, or there twice unless one is telling."""
    filled = [name.strip() for name in names if name.strip()]
    return (
        bool(filled)
        and (len(set(filled)) == len(filled) or any(map(looks_like_name, filled)))
        and not any(is_number(name) or len(name) > LONGEST_NAME for name in filled)
    )


class FirstRow:
    """The first row of a table, watched while the others are read: is it a row like them?

    Args:
        cells: Of the row.
        header: What a person says; None: it is told by the rows.

    Attributes:
        cells: Of the row.
        header: Does it hold names? Known when the rows have been read.
    """

    def __init__(self, cells: Sequence[str], header: bool | None = None) -> None:
        self.cells, self._set = cells, header is not None
        self.header = is_header(cells) if header is None else header

    def watch(self, rows: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
        """Yield the rows below a header, else all rows; the first comes last where only the others tell.

        It is no header where another row has a cell of it, and no name looks like one.
        """
        watched = self.header and not self._set and not any(map(looks_like_name, self.cells))
        if not self.header:
            yield self.cells
        for row in rows:
            if watched and self.header and list(row) != list(self.cells):
                self.header = not any(a == b and a.strip() for a, b in zip(row, self.cells, strict=False))
            yield row
        if watched and not self.header:
            yield self.cells


def is_number(value: str) -> bool:
    """Whether a cell can be read as a number."""
    try:
        float(value)
    except ValueError:
        return False
    return True


def json_format(lines: Iterable[str], named: str) -> str:
    """Whether JSON is an array (`json`) or an object per line (`jsonl`); what the name says where both can be.

    Args:
        lines: Of the file.
        named: The format that the file's name stands for.
    """
    first, second = itertools.islice(itertools.chain((line.strip() for line in lines if line.strip()), ("", "")), 2)
    if first.startswith("["):
        return "json" if first[1:].lstrip()[:1] in ("{", "") else named
    return "jsonl" if second.startswith("{") and _is_object(first) else named


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
