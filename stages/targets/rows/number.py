"""Rows whose label is a number: any finite one, in a unit of its own."""

import itertools
import math
import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stages.errors import DataError
from stages.messages import short
from stages.targets.target import Finder, Reader, Target

CHECKS = frozenset({"conflicting_labels"})
UNKNOWN = ("the label is not a finite number", "Write it as 3, 3.5 or 1e3, with a point and without a unit")
IN_EVERY_SPLIT = False
VALUES: pa.DataType | None = pa.float64()

MOST_RANGES = 10  # that rows are divided and counted by
ROWS_PER_RANGE = 20  # about, so that each split has its share of each range
WITH_COMMA = re.compile(r"[+-]?\d*,\d+(?:e[+-]?\d+)?", re.IGNORECASE)
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")  # 1,000 may be 1 or 1000; 0,125 and 12,5 are read in one way alone
GROUPED_BY_POINT = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")  # the same where the comma is the decimal sign
DIGITS = 4  # of the ends of a range in its name


def stored(value: str) -> str | None:
    """Return the shortest text of the same number; None where the value is not a finite number."""
    try:
        number = float(value)
    except ValueError:
        return None
    return repr(number + 0.0).removesuffix(".0") if math.isfinite(number) and "_" not in value else None


def with_point(value: str, *, decimal_comma: bool) -> str:
    """Return a number with a point for its decimal comma; with another comma, or with two signs, it stays as it is.

    One that may be read in two ways comes back with a comma, 1,000, so that nothing reads it as a number.
    """
    if decimal_comma and GROUPED_BY_POINT.fullmatch(value.strip()):
        return value.replace(".", ",")
    comma = WITH_COMMA.fullmatch(value.strip()) and (decimal_comma or not THOUSANDS.fullmatch(value.strip()))
    return value.replace(",", ".") if comma else value


def known(labels: Collection[str], finder: Finder) -> Reader:
    """Return what reads a number: any finite one can be learned, whatever numbers the rows have."""
    return stored


def describe(counts: Mapping[str, int], *, names: Mapping[str, str], order: Sequence[str]) -> Target:
    """Return the ranges that the numbers are divided by: at most ten, with about as many rows each.

    Raises:
        DataError: All rows have one number, or params.yaml names classes.
    """
    if names or order:
        key = "labels" if names else "label_order"
        empty = "{}" if names else "[]"
        raise DataError(
            f"download.dataset.{key} is about classes, but the label is a number. Set download.dataset.{key}: {empty}, "
            "or download.dataset.target: classes."
        )
    if len(counts) < 2:
        raise DataError(
            f"All rows have the number {short(next(iter(counts)))}, so there is nothing to learn. "
            "Correct download.dataset.columns.label, or add rows."
        )
    numbers = np.sort(np.repeat([float(text) for text in counts], list(counts.values())))
    ranges = int(np.clip(len(numbers) // ROWS_PER_RANGE, 1, MOST_RANGES))
    places = len(numbers) * np.arange(1, ranges) // ranges
    edges = [float(edge) for edge in np.unique(numbers[places]) if edge > numbers[0]]
    return Target("number", _names(edges), edges)


def index(column: pa.Array, target: Target) -> NDArray[np.int32]:
    """Return the index of the range that each number is in; shape (rows,)."""
    numbers = values(column, target).to_numpy(zero_copy_only=False)
    return np.asarray(np.searchsorted(target.edges, numbers, side="right"), dtype=np.int32)


def values(column: pa.Array, target: Target) -> pa.Array:
    """Return the numbers."""
    return pc.cast(column, pa.float64())


def _names(edges: Sequence[float]) -> list[str]:
    if not edges:
        return ["all"]
    shown = [f"{edge:.{DIGITS}g}" for edge in edges]
    if len(set(shown)) < len(shown):
        shown = [repr(edge) for edge in edges]
    inner = [f"{low} to {high}" for low, high in itertools.pairwise(shown)]
    return [f"below {shown[0]}", *inner, f"{shown[-1]} or more"]
