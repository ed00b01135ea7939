"""The lines of suspects.csv, each checked: a report that was cut off or edited ends in one line that says so."""

import csv
import math
from pathlib import Path

from pipeline.review.kinds import ReviewedKind, Suspects
from stages.errors import DataError

NAME = "data/report/suspects.csv"
AGAIN = "Write it again: retune run"


def read_lines(path: Path, kind: ReviewedKind) -> list[Suspects]:
    """Return the lines of suspects.csv, most suspicious first.

    Args:
        path: The file.
        kind: Of the target, whose columns are checked.

    Raises:
        DataError: There is no such file, it lacks a column, or it is damaged.
    """
    if not path.is_file():
        raise DataError(f"{NAME} is missing. Make it with: retune run (or dvc pull)")
    texts, numbers = ("id", "position", *kind.texts), kind.numbers
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            names, lines = reader.fieldnames or (), list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{NAME} is damaged. {AGAIN}") from error
    if missing := {*texts, *numbers} - set(names):
        raise DataError(f"{NAME} has no column {min(missing)}. {AGAIN}")
    if not all(_is_whole(line, texts, numbers) for line in lines):
        raise DataError(f"{NAME} is damaged. {AGAIN}")
    return [*lines]


def _is_whole(line: Suspects, texts: tuple[str, ...], numbers: tuple[str, ...]) -> bool:
    """Whether a line has as many cells as the header, and each column what it must have."""
    if None in line or None in line.values() or not all(line[column] for column in texts):
        return False
    try:
        return int(line["position"]) >= 0 and all(math.isfinite(float(line[column])) for column in numbers)
    except ValueError:
        return False
