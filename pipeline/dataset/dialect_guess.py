"""The delimiter of a CSV file, whether it has a header, and which JSON a file is, guessed from the first lines."""

import csv
import itertools
import json
from collections.abc import Iterable, Sequence

DELIMITERS = ",;\t|"  # the first of equally good ones is taken
LONGEST_NAME = 80  # characters of a column's name; what is longer is a text, so there is no header


def find_delimiter(lines: Sequence[str]) -> str:
    """The character that divides the most of the first lines into as many columns as the very first, two or more."""
    return max(DELIMITERS, key=lambda delimiter: _alike(lines, delimiter))


def _alike(lines: Sequence[str], delimiter: str) -> tuple[int, int]:
    """How many rows have the width of the first one, and that width; nothing if it is one column."""
    widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
    return (widths.count(widths[0]), widths[0]) if widths and widths[0] > 1 else (0, 0)


def is_header(names: Sequence[str]) -> bool:
    """Whether the first row holds names: none is a number, a text, or there twice."""
    filled = [name.strip() for name in names if name.strip()]
    return (
        bool(filled)
        and len(set(filled)) == len(filled)
        and not any(is_number(name) or len(name) > LONGEST_NAME for name in filled)
    )


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
