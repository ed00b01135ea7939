"""Rows that have one of several classes in a row, as stars are."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from stages.errors import DataError
from stages.messages import examples
from stages.targets.rows import classes
from stages.targets.rows.classes import (
    CHECKS,
    IN_EVERY_SPLIT,
    UNKNOWN,
    VALUES,
    index,
    known,
    stored,
    values,
    with_point,
)
from stages.targets.target import Target

__all__ = [
    "CHECKS",
    "IN_EVERY_SPLIT",
    "UNKNOWN",
    "VALUES",
    "describe",
    "index",
    "known",
    "stored",
    "values",
    "with_point",
]

FEWEST = 3  # classes: of two, all errors are equally large


def describe(counts: Mapping[str, int], *, names: Mapping[str, str], order: Sequence[str] = ()) -> Target:
    """Return the classes in their order: that of `order`, or of the numbers that they are, or that `names` renames.

    Raises:
        DataError: As of classes; or the order is unknown, or there are two classes.
    """
    target = replace(classes.describe(counts, names=names, order=order), kind="ordered")
    words = sorted(value for value in names or counts if not _is_finite(value))
    if words and not order:
        raise DataError(
            f"download.dataset.target is ordered, but [{examples(words)}] are not numbers, so their order is unknown. "
            "Give it from low to high, such as download.dataset.label_order: [low, mid, high], correct these rows, or "
            "set download.dataset.target: classes."
        )
    if len(target.labels) < FEWEST:
        raise DataError(
            f"download.dataset.target is ordered, but the rows have {len(target.labels)} labels "
            f"({examples(target.labels)}), and an order needs {FEWEST}. Set download.dataset.target: classes."
        )
    return target


def _is_finite(label: str) -> bool:
    try:
        return math.isfinite(float(label))
    except ValueError:
        return False
