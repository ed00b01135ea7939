"""AUROC and average precision as means of one value per row, so that they can be resampled like any mean.

Both are smooth functions of the rows' weights. The derivative by a row's weight, the influence, gives each row a
pseudo-value: the mean of the pseudo-values is the metric, and their resampled mean follows the resampled metric to
first order. For AUROC they are the placement values of DeLong's method.

Source:
    DeLong, DeLong, Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
    characteristic curves", Biometrics 1988. Efron, "The jackknife, the bootstrap and other resampling plans", 1982.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def auroc_values(labels: Ints, probabilities: NDArray[np.floating]) -> Floats:
    """Return values whose mean is the AUROC of each class against the rest, averaged; shape (rows,)."""
    return _over_classes(labels, probabilities, _auroc)


def average_precision_values(labels: Ints, probabilities: NDArray[np.floating]) -> Floats:
    """Return values whose mean is the average precision of each class against the rest; shape (rows,)."""
    return _over_classes(labels, probabilities, _average_precision)


def _over_classes(
    labels: Ints, probabilities: NDArray[np.floating], values: Callable[[NDArray[np.bool_], Floats], Floats]
) -> Floats:
    """The mean over the classes that occur, 0 where only one does; for two classes the second one's values."""
    present = np.unique(labels)
    classes = [1] if probabilities.shape[1] == 2 and len(present) == 2 else present
    if len(present) < 2:
        return np.zeros(len(labels))
    total = np.zeros(len(labels))
    for label in classes:
        total += values(labels == label, probabilities[:, label].astype(np.float64))
    return total / len(classes)


def _auroc(positive: NDArray[np.bool_], scores: Floats) -> Floats:
    first, last, order = _ties(scores)
    rows, positives = len(scores), int(positive.sum())
    negatives = rows - positives
    below = np.concatenate([[0], np.cumsum(~positive[order])])  # negatives among the lowest k rows
    above = positives - np.concatenate([[0], np.cumsum(positive[order])])
    placement = np.empty(rows)
    placement[order] = np.where(
        positive[order],
        (below[first] + below[last]) / 2 / negatives,
        (above[first] + above[last]) / 2 / positives,
    )
    value = placement[positive].mean()
    share = np.where(positive, rows / positives, rows / negatives)
    return np.asarray(value + share * (placement - value))


def _average_precision(positive: NDArray[np.bool_], scores: Floats) -> Floats:
    first, last, order = _ties(-scores)  # the highest score first
    rows, positives = len(scores), int(positive.sum())
    hit = positive[order].astype(np.float64)
    hits = np.cumsum(hit)[last - 1]  # positives down to each row's ties
    precision = hits / last
    value = float((hit * precision).sum() / positives)
    # The derivative of the positives' summed precision by the weight of row k, which counts for every row
    # that ranks with it or after it.
    gain, loss = _tail_sums(hit / last, first), _tail_sums(hit * hits / last**2, first)
    influence = np.empty(rows)
    influence[order] = (hit * (precision - value) + hit * gain - loss) / positives
    return value + rows * influence


def _ties(scores: Floats) -> tuple[Ints, Ints, Ints]:
    """For each sorted row the ranks of its ties, from first up to but without last; and the sorting order."""
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    first, last = np.searchsorted(ranked, ranked, "left"), np.searchsorted(ranked, ranked, "right")
    return first, last, order


def _tail_sums(values: Floats, first: Ints) -> Floats:
    """The sum of `values` from each row's first tie to the end."""
    return np.cumsum(values[::-1])[::-1][first]
