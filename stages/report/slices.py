"""Slices: parts of the rows on which the model makes more mistakes than the labels of their rows explain.

A metric on a slice says as much about the labels that are in it as about the slice: a slice of hard classes looks weak
with any model. So a slice is judged by its excess, the mistakes in it over those that its rows would have if each
were as hard as the rows of its label are on average.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.metrics.classification import count_scores
from stages.metrics.exact_share import exact_interval
from stages.metrics.names import OF_ORDERED
from stages.metrics.slices import Slices
from stages.metrics.summary import exact
from stages.predictions import Predictions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

SMALL = 30  # rows; a smaller slice says little


@dataclass(frozen=True)
class SliceScore:
    """How the model does on a slice.

    Attributes:
        rows: Rows of the slice.
        value: The metric on them.
        wrong: Rows that are predicted wrong.
        expected: Rows that would be wrong if each were as hard as the rows of its label are on average.
        excess: Share of the rows that is wrong beyond that (-1 to 1).
        low: Lower end of the excess's interval; all slices together are outside their intervals by chance as seldom as
            a single one is.
        high: Its upper end.
        shrunk: The excess, the closer to 0 the more of it can be chance. The slices are ordered by it.
    """

    rows: int
    value: float
    wrong: int
    expected: float
    excess: float
    low: float
    high: float
    shrunk: float


def score_slices(
    slices: Slices, predictions: Predictions, metric: str, *, confidence: float
) -> dict[str, dict[str, SliceScore]]:
    """Return every slice by column and value, that with the most mistakes beyond its labels' first.

    Args:
        slices: From `cut_slices`, for the rows of `predictions`.
        predictions: Of the champion.
        metric: One of `count_scores`.
        confidence: That no slice is outside its interval by chance (0 to 1).

    Source:
        Intervals: Clopper, Pearson, "The use of confidence or fiducial limits", 1934, corrected for their number
        as by Bonferroni.
        Order: Efron, Morris, "Data analysis using Stein's estimator", 1975.
    """
    if not slices:
        return {}
    labels, wrong = predictions.labels, predictions.preds != predictions.labels
    num_labels = predictions.probabilities.shape[1]
    rates = _error_rates(labels, wrong, num_labels=num_labels)  # (num_labels,)
    contents = np.stack([np.bincount(labels[mask], minlength=num_labels) for mask in slices.values()])
    rows, expected = contents.sum(axis=1), contents @ rates  # contents: (slices, num_labels)
    mistakes = np.array([wrong[mask].sum() for mask in slices.values()])
    excess = (mistakes - expected) / rows
    alike = _design_effect(wrong - rates[labels], predictions.groups)
    drawn_from = np.bincount(labels, minlength=num_labels)
    shrunk = _shrink(excess, _variances(contents, rates, drawn_from) * alike / rows**2)
    tail = (1 - confidence) / 2 / len(slices)
    scores = {}
    for number, (key, mask) in enumerate(slices.items()):
        low, high = exact_interval(mistakes[number] / rows[number], rows[number] / alike, tail)
        share = expected[number] / rows[number]
        scores[key] = SliceScore(
            rows=int(rows[number]),
            value=_metric(predictions, mask, metric, num_labels=num_labels),
            wrong=int(mistakes[number]),
            expected=exact(expected[number]),
            excess=exact(excess[number]),
            low=exact(low - share),
            high=exact(high - share),
            shrunk=exact(shrunk[number]),
        )
    by_column: dict[str, dict[str, SliceScore]] = {}
    for column, value in sorted(scores, key=lambda key: (*weakness(scores[key]), *key)):
        by_column.setdefault(column, {})[value] = scores[column, value]
    return by_column


def weakness(score: SliceScore) -> tuple[float, float]:
    """Return the key by which slices are ordered, the weakest first; by excess mistakes where all are shrunk to 0."""
    return -score.shrunk, score.expected - score.wrong


def _error_rates(labels: Ints, wrong: Mask, *, num_labels: int) -> Floats:
    """The share of each label's rows that is wrong, with a row more that is wrong as often as all rows are.

    Without that row, the mistakes of a rare label would explain themselves, and a slice of them could not look weak.
    """
    rows = np.bincount(labels, minlength=num_labels)
    mistakes = np.bincount(labels, weights=wrong, minlength=num_labels)
    return np.asarray((mistakes + wrong.mean()) / (rows + 1))


def _variances(contents: Ints, rates: Floats, drawn_from: Ints) -> Floats:
    """Variance of each slice's mistakes if slices do not differ, so that rows are drawn from all of the same label."""
    return np.asarray((contents * rates * (1 - rates) * (1 - contents / (drawn_from + 1))).sum(axis=1))


def _design_effect(residuals: Floats, groups: Ints | None) -> float:
    """How many times larger the variance is because rows of a group are predicted right or wrong together (>= 1)."""
    if groups is None:
        return 1.0
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], weights=residuals)
    squares = float((residuals**2).sum())
    return max(1.0, float((sums**2).sum()) / squares) if squares > 0 else 1.0


def _shrink(excess: Floats, variances: Floats) -> Floats:
    """The most probable excess of each slice, if the true ones are normal around 0 with a variance to be estimated."""
    known = variances > 0
    if not known.any():
        return np.zeros_like(excess)
    weights = 1 / variances[known]
    between = max(0.0, float((weights * excess[known] ** 2).sum() - known.sum()) / float(weights.sum()))
    return np.where(known, excess * between / (between + variances + math.ulp(0.0)), 0.0)


def _metric(predictions: Predictions, mask: Mask, metric: str, *, num_labels: int) -> float:
    labels, preds = predictions.labels[mask], predictions.preds[mask]
    counts = np.ones(len(labels), dtype=np.int64)
    scores = count_scores(counts, labels, preds, num_labels=num_labels, ordered=metric in OF_ORDERED)
    return exact(scores[metric])
