"""Slices: the metric on parts of the rows, to show where the model is weak."""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.metrics.bootstrap import Bootstrap, count_cells, estimate
from stages.metrics.classification import count_scores
from stages.metrics.estimates import allow_for_unseen_errors
from stages.metrics.slices import Slices
from stages.predictions import Predictions
from stages.report.summary import rounded

SMALL = 30  # rows; the interval of a smaller slice is rough


@dataclass(frozen=True)
class SliceScore:
    """The metric on a slice, with its interval."""

    rows: int
    value: float
    low: float
    high: float


def score_slices(
    slices: Slices, predictions: Predictions, metric: str, bootstrap: Bootstrap
) -> dict[str, dict[str, SliceScore]]:
    """Return the metric on every slice by column and value, weakest first.

    Args:
        slices: From `cut_slices`, for the rows of `predictions`.
        predictions: Of the champion.
        metric: One of `count_scores`.
        bootstrap: Of the intervals.
    """
    labels, preds, num_labels = predictions.labels, predictions.preds, predictions.probabilities.shape[1]
    scores = {
        key: _score(labels[mask], preds[mask], metric=metric, num_labels=num_labels, bootstrap=bootstrap)
        for key, mask in slices.items()
    }
    by_column: dict[str, dict[str, SliceScore]] = {}
    for column, value in sorted(scores, key=lambda key: (scores[key].value, *key)):
        by_column.setdefault(column, {})[value] = scores[column, value]
    return by_column


def _score(
    labels: NDArray[np.int64], preds: NDArray[np.int64], *, metric: str, num_labels: int, bootstrap: Bootstrap
) -> SliceScore:
    cells = count_cells(labels, preds)
    score = functools.partial(count_scores, labels=cells.columns[0], preds=cells.columns[1], num_labels=num_labels)
    estimates = estimate(lambda counts: {metric: score(counts)[metric]}, cells.sizes, cells.columns[0], bootstrap)
    if (labels == preds).all():
        estimates = allow_for_unseen_errors(
            estimates, labels, num_labels=num_labels, ordered=False, confidence=bootstrap.confidence
        )
    interval = estimates[metric]
    entry = rounded({"value": interval.value, "low": interval.low, "high": interval.high})
    return SliceScore(len(labels), entry["value"], entry["low"], entry["high"])
