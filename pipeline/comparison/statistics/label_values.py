"""The metrics of labels and predicted labels as one value per row whose mean is the metric.

A metric of this kind is a smooth function of the counts of rows by label and prediction. Its derivative by the weight
of a row, the row's influence, added to the metric, is the row's value. The values of all rows have the metric as their
mean, and their spread is that of the metric when other rows are drawn, to first order.

Source:
    Hampel, "The influence curve and its role in robust estimation", 1974. Efron, "The jackknife, the bootstrap and
    other resampling plans", 1982.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from stages.metrics.ranking import ratio

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class LabelCounts:
    """Rows of each class, by label and by what one model predicts.

    Attributes:
        hits: Rows that are predicted right; shape (num_labels,).
        support: Rows that have the label; shape (num_labels,).
        predicted: Rows that are predicted to have it; shape (num_labels,).
        distance: Sum over the rows of the squared distance between label and prediction, in classes.
    """

    hits: Floats
    support: Floats
    predicted: Floats
    distance: float

    @property
    def rows(self) -> float:
        return float(self.support.sum())


def count_labels(labels: Ints, preds: Ints, *, num_labels: int) -> LabelCounts:
    """Count the rows of one model; `labels` and `preds` of shape (rows,)."""
    return LabelCounts(
        hits=np.bincount(labels[labels == preds], minlength=num_labels).astype(np.float64),
        support=np.bincount(labels, minlength=num_labels).astype(np.float64),
        predicted=np.bincount(preds, minlength=num_labels).astype(np.float64),
        distance=float(((labels - preds) ** 2).sum()),
    )


def mean_counts(models: Sequence[LabelCounts]) -> LabelCounts:
    """Return the mean over several models on the same rows."""
    columns = (np.mean([getattr(model, field.name) for model in models], axis=0) for field in fields(LabelCounts))
    return LabelCounts(*columns)


def label_values(counts: LabelCounts, labels: Ints, preds: Ints, *, ordered: bool = False) -> dict[str, Floats]:
    """Return the values of rows with these labels and predictions, for each metric of `count_scores`.

    Args:
        counts: Of all rows, on which the metrics are measured.
        labels: Labels of some rows, which need not be among those that were counted; shape (rows,).
        preds: What the model predicts for them; shape (rows,).
        ordered: Whether the classes have an order and equal steps.

    Returns:
        By metric, shape (rows,) each.
    """
    right = (labels == preds).astype(np.float64)
    values = {
        "accuracy": right,
        "balanced_accuracy": _balanced_accuracy(counts, labels, right),
        "macro_f1": _macro_f1(counts, labels, preds, right),
        "weighted_f1": _weighted_f1(counts, labels, preds, right),
        "micro_f1": right,
        "mcc": _mcc(counts, labels, preds, right),
        "kappa": _kappa(counts, labels, preds, right),
    }
    if ordered:
        values["quadratic_kappa"] = _quadratic_kappa(counts, labels, preds)
        values["mean_absolute_error"] = np.abs(labels - preds).astype(np.float64)
    return values


def _balanced_accuracy(counts: LabelCounts, labels: Ints, right: Floats) -> Floats:
    recall, present = ratio(counts.hits, counts.support), max(1, int((counts.support > 0).sum()))
    influence = ratio(right - recall[labels], counts.support[labels]) / present
    return np.asarray(recall.sum() / present + counts.rows * influence)


def _f1_influence(counts: LabelCounts, weights: Floats, labels: Ints, preds: Ints, right: Floats) -> Floats:
    """The influence on the weighted sum of the classes' F1, which is 2 hits / (support + predicted)."""
    both = counts.support + counts.predicted
    slope, f1 = ratio(weights, both), ratio(2 * counts.hits, both)
    loss = slope * f1
    return np.asarray(2 * right * slope[labels] - loss[labels] - loss[preds])


def _macro_f1(counts: LabelCounts, labels: Ints, preds: Ints, right: Floats) -> Floats:
    both = counts.support + counts.predicted
    present = float(np.minimum(both, 1).sum())  # a class that some models predict and no row has counts in part
    value = float(ratio(2 * counts.hits, both).sum()) / max(1.0, present)
    more_classes = ratio((counts.support == 0).astype(np.float64), np.maximum(1, counts.predicted)) * value / present
    influence = _f1_influence(counts, np.full(len(both), 1 / present), labels, preds, right)
    return np.asarray(value + counts.rows * (influence - more_classes[preds]))


def _weighted_f1(counts: LabelCounts, labels: Ints, preds: Ints, right: Floats) -> Floats:
    weights = counts.support / counts.rows
    f1 = ratio(2 * counts.hits, counts.support + counts.predicted)
    return f1[labels] + counts.rows * _f1_influence(counts, weights, labels, preds, right)


def _mcc(counts: LabelCounts, labels: Ints, preds: Ints, right: Floats) -> Floats:
    rows, hits = counts.rows, float(counts.hits.sum())
    covariance = hits * rows - float(counts.support @ counts.predicted)
    spread = [rows**2 - float(side @ side) for side in (counts.support, counts.predicted)]
    if min(spread) <= 0:  # one class alone: the metric is 0 by definition
        return np.zeros(len(labels))
    slope = rows * right + hits - counts.predicted[labels] - counts.support[preds]
    shrink = (rows - counts.support[labels]) / spread[0] + (rows - counts.predicted[preds]) / spread[1]
    scale = (spread[0] * spread[1]) ** 0.5
    return np.asarray(covariance / scale + rows * (slope - covariance * shrink) / scale)


def _kappa(counts: LabelCounts, labels: Ints, preds: Ints, right: Floats) -> Floats:
    rows, overlap = counts.rows, float(counts.support @ counts.predicted)
    expected = rows - overlap / rows
    slope = 1 - (counts.predicted[labels] + counts.support[preds]) / rows + overlap / rows**2
    return _one_minus_ratio(rows - float(counts.hits.sum()), expected, 1 - right, slope, rows)


def _quadratic_kappa(counts: LabelCounts, labels: Ints, preds: Ints) -> Floats:
    rows, classes = counts.rows, np.arange(len(counts.support), dtype=np.float64)
    sums = [float(side @ classes) for side in (counts.support, counts.predicted)]
    squares = float((counts.support + counts.predicted) @ classes**2)
    expected = squares - 2 * sums[0] * sums[1] / rows
    slope = labels**2 + preds**2 - 2 * (labels * sums[1] + preds * sums[0]) / rows + 2 * sums[0] * sums[1] / rows**2
    return _one_minus_ratio(counts.distance, expected, (labels - preds) ** 2.0, slope, rows)


def _one_minus_ratio(
    observed: float, expected: float, by_row: NDArray[np.floating], slope: NDArray[np.floating], rows: float
) -> Floats:
    """Values of 1 - observed / expected disagreement, from what one row adds to each of the two."""
    if expected <= 0:
        return np.zeros(len(by_row))
    return np.asarray(1 - observed / expected - rows * (by_row - observed / expected * slope) / expected)
