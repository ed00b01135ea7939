"""AUROC and average precision as means of one value per row, so that they can be resampled like any mean.

Both are smooth functions of the rows' weights. The derivative by a row's weight, the influence, gives each row a
pseudo-value: the mean of the pseudo-values is the metric, and their resampled mean follows the resampled metric to
first order. For AUROC they are the placement values of DeLong's method.

Source:
    DeLong, DeLong, Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
    characteristic curves", Biometrics 1988. Efron, "The jackknife, the bootstrap and other resampling plans", 1982.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Ranking:
    """A ranking metric of one class, and the influence that a further row of weight would have.

    Attributes:
        value: The metric.
        if_positive: Influence of a row of the class that is scored as this row is; shape (rows,).
        if_negative: The same for a row of another class.
    """

    value: float
    if_positive: Floats
    if_negative: Floats


RankingMetric = Callable[[Floats, Floats, Floats], Ranking]


def auroc_values(labels: Ints, probabilities: NDArray[np.floating]) -> Floats:
    """Return values whose mean is the AUROC of each class against the rest, averaged; shape (rows,)."""
    return _row_values(auroc, labels, probabilities)


def average_precision_values(labels: Ints, probabilities: NDArray[np.floating]) -> Floats:
    """Return values whose mean is the average precision of each class against the rest; shape (rows,)."""
    return _row_values(average_precision, labels, probabilities)


def ranked_classes(labels: Ints, num_labels: int) -> list[int]:
    """Return the classes over which a ranking metric is averaged: those that occur, for two classes the second one.

    With fewer than two classes in the rows there is nothing to rank, and the list is empty.
    """
    present = np.unique(labels)
    if len(present) < 2:
        return []
    return [1] if num_labels == 2 else present.tolist()


def auroc(positive: Floats, total: Floats, scores: Floats) -> Ranking:
    """Return the AUROC of rows with weights.

    Args:
        positive: Weight that each row has as one of the class; shape (rows,).
        total: Weight of each row; shape (rows,).
        scores: Probability of the class; shape (rows,).
    """
    first, last, order = _ties(scores)
    negative = total - positive
    positives, negatives = positive.sum(), negative.sum()
    below = np.concatenate([[0.0], np.cumsum(negative[order])])  # weight of negatives among the lowest k rows
    above = positives - np.concatenate([[0.0], np.cumsum(positive[order])])
    of_positive, of_negative = np.empty(len(scores)), np.empty(len(scores))
    # placements: the share of the other side that a row ranks above, or below
    of_positive[order] = ratio((below[first] + below[last]) / 2, negatives)
    of_negative[order] = ratio((above[first] + above[last]) / 2, positives)
    value = float(ratio(positive @ of_positive, positives))
    rows = positives + negatives
    shares = ratio(rows, positives), ratio(rows, negatives)
    return Ranking(value, (of_positive - value) * shares[0], (of_negative - value) * shares[1])


def average_precision(positive: Floats, total: Floats, scores: Floats) -> Ranking:
    """Return the average precision of rows with weights; arguments as `auroc`."""
    first, last, order = _ties(-scores)  # the highest score first
    hit, positives, rows = positive[order], positive.sum(), total.sum()
    hits, reached = np.cumsum(hit)[last - 1], np.cumsum(total[order])[last - 1]  # down to each row's ties
    precision = ratio(hits, reached)
    value = float(ratio(hit @ precision, positives))
    # The derivative of the positives' summed precision by the weight of row k, which counts for every row
    # that ranks with it or after it.
    gain, loss = _tail_sums(ratio(hit, reached), first), _tail_sums(ratio(hit * hits, reached**2), first)
    if_positive, if_negative = np.empty(len(scores)), np.empty(len(scores))
    if_positive[order] = ratio((precision - value + gain - loss) * rows, positives)
    if_negative[order] = ratio(-loss * rows, positives)
    return Ranking(value, if_positive, if_negative)


def ratio(numerator: NDArray[np.number], denominator: NDArray[np.number]) -> Floats:
    """Divide, with 0 where the denominator is 0; shape as `numerator`, to which the denominator is broadcast."""
    zeros = np.zeros(np.shape(numerator))
    quotient: Floats = np.divide(numerator, denominator, out=zeros, where=np.asarray(denominator) != 0)
    return quotient


def _row_values(metric: RankingMetric, labels: Ints, probabilities: NDArray[np.floating]) -> Floats:
    """The mean over the classes that occur, 0 where only one does; for two classes the second one's values."""
    classes = ranked_classes(labels, probabilities.shape[1])
    total = np.zeros(len(labels))
    for label in classes:
        positive = labels == label
        ranking = metric(positive.astype(np.float64), np.ones(len(labels)), probabilities[:, label].astype(np.float64))
        total += ranking.value + np.where(positive, ranking.if_positive, ranking.if_negative)
    return total / max(1, len(classes))


def _ties(scores: Floats) -> tuple[Ints, Ints, Ints]:
    """For each sorted row the ranks of its ties, from first up to but without last; and the sorting order."""
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    first, last = np.searchsorted(ranked, ranked, "left"), np.searchsorted(ranked, ranked, "right")
    return first, last, order


def _tail_sums(values: Floats, first: Ints) -> Floats:
    """The sum of `values` from each row's first tie to the end."""
    return np.cumsum(values[::-1])[::-1][first]
