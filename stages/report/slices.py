"""The headline metric on every slice of the rows, with its interval."""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.metrics.bootstrap import Bootstrap, count_cells, estimate
from stages.metrics.classification import count_scores
from stages.metrics.estimates import allow_for_unseen_errors
from stages.metrics.slices import Slices
from stages.report.summary import rounded

Ints = NDArray[np.int64]

SMALL = 30  # rows; the interval of a smaller slice is rough


@dataclass(frozen=True)
class Slice:
    """The metric of the rows that have one value in a column."""

    column: str
    name: str
    rows: int
    small: bool
    value: float
    low: float
    high: float


def score_slices(
    slices: Slices, labels: Ints, preds: Ints, *, metric: str, num_labels: int, bootstrap: Bootstrap
) -> list[Slice]:
    """Return the metric on every slice, weakest first.

    Args:
        slices: From `cut_slices`.
        labels: Label of each row; shape (rows,).
        preds: Predicted label of each row; shape (rows,).
        metric: One of `count_scores`.
        num_labels: Number of classes.
        bootstrap: Of the intervals.
    """
    scored = []
    for (column, name), mask in slices.items():
        numbers = _score(labels[mask], preds[mask], metric=metric, num_labels=num_labels, bootstrap=bootstrap)
        rows = int(mask.sum())
        scored.append(Slice(column, name, rows, rows < SMALL, **numbers))
    return sorted(scored, key=lambda part: (part.value, part.column, part.name))


def _score(labels: Ints, preds: Ints, *, metric: str, num_labels: int, bootstrap: Bootstrap) -> dict[str, float]:
    cells = count_cells(labels, preds)
    score = functools.partial(count_scores, labels=cells.columns[0], preds=cells.columns[1], num_labels=num_labels)
    estimates = estimate(lambda counts: {metric: score(counts)[metric]}, cells.sizes, cells.columns[0], bootstrap)
    if (labels == preds).all():
        estimates = allow_for_unseen_errors(
            estimates, labels, num_labels=num_labels, ordered=False, confidence=bootstrap.confidence
        )
    scored = estimates[metric]
    return rounded({"value": scored.value, "low": scored.low, "high": scored.high})
