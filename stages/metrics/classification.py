"""Metrics of a classifier, for many resamples at once.

The same code computes a metric's value and its interval, so the two can't disagree. torchmetrics has no
leading axis for resamples and takes 4 s to import; tests compare with it and with scikit-learn.

Two kinds of metrics. Those of labels and predicted labels need only counts: a *cell* counts the rows that share label
and predictions, so a resample is a handful of numbers however many rows there are. Those of probabilities are means
over rows (see `ranking.py` for AUROC and average precision), so scoring all resamples is a matrix product.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.metrics.ranking import auroc_values, average_precision_values, ratio

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MANY_LABELS = 10  # with more classes, top_3_accuracy is scored as well
SMALLEST = np.finfo(np.float32).tiny  # a probability of 0 counts as this one, so that its logarithm is finite


def count_scores(
    counts: NDArray[np.number], labels: Ints, preds: Ints, *, num_labels: int, ordered: bool = False
) -> dict[str, Floats]:
    """Return the metrics that need only labels and predicted labels.

    Args:
        counts: Rows in each cell; shape (..., cells).
        labels: Label of each cell; shape (cells,).
        preds: Predicted label of each cell; shape (cells,).
        num_labels: Number of classes.
        ordered: Whether the classes have an order and equal steps, like a rating in stars.

    Returns:
        accuracy, balanced_accuracy, macro_f1, weighted_f1, micro_f1, mcc, kappa, and for ordered classes
        quadratic_kappa and mean_absolute_error (in classes); each of shape (...). Averages over classes leave out a
        class that no row has and none is predicted to have (balanced accuracy: that no row has), as scikit-learn does.

    Source:
        mcc: Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient", 2004.
        kappa: Cohen, "A coefficient of agreement for nominal scales", 1960; "Weighted kappa", 1968.
    """
    sums = counts.astype(np.float64) @ cell_features(labels, preds, num_labels=num_labels)
    return score_sums(sums, num_labels=num_labels, ordered=ordered)


def cell_features(labels: Ints, preds: Ints, *, num_labels: int) -> Floats:
    """Return what a row of each cell adds to the sums that `score_sums` takes; shape (cells, 3 * num_labels + 2)."""
    classes = np.arange(num_labels)
    has_label, is_predicted = labels[:, None] == classes, preds[:, None] == classes  # (cells, num_labels)
    steps = np.abs(labels - preds)[:, None]
    return np.hstack([has_label & is_predicted, has_label, is_predicted, steps, steps**2]).astype(np.float64)


def score_sums(sums: Floats, *, num_labels: int, ordered: bool = False) -> dict[str, Floats]:
    """Return the metrics of `count_scores` from sums over rows, shape (..., 3 * num_labels + 2).

    The sums count, for each class, its rows that are predicted right, that have it and that are predicted to have it;
    then come the classes, and their squares, between label and predicted label.
    """
    hits, support, predicted = (sums[..., start : start + num_labels] for start in num_labels * np.arange(3))
    rows = support.sum(-1)
    f1 = ratio(2 * hits, support + predicted)
    accuracy = ratio(hits.sum(-1), rows)
    scores = {
        "accuracy": accuracy,
        "balanced_accuracy": ratio(ratio(hits, support).sum(-1), (support > 0).sum(-1)),
        "macro_f1": ratio(f1.sum(-1), (support + predicted > 0).sum(-1)),
        "weighted_f1": ratio((f1 * support).sum(-1), rows),
        "micro_f1": accuracy,
        "mcc": _mcc(hits, support, predicted),
        "kappa": _kappa(rows - hits.sum(-1), rows - ratio((support * predicted).sum(-1), rows)),
    }
    if ordered:
        classes = np.arange(num_labels)
        squares = (classes[:, None] - classes) ** 2.0  # (num_labels, num_labels)
        expected = ratio(((support @ squares) * predicted).sum(-1), rows)
        scores["quadratic_kappa"] = _kappa(sums[..., -1], expected)
        scores["mean_absolute_error"] = ratio(sums[..., -2], rows)
    return scores


def per_class(labels: Ints, preds: Ints, *, num_labels: int) -> dict[str, Floats]:
    """Return precision, recall, f1 and support of every class; each of shape (num_labels,). 0 where undefined."""
    from sklearn.metrics import precision_recall_fscore_support  # 1 s of imports that a comparison does not need

    columns = precision_recall_fscore_support(labels, preds, labels=np.arange(num_labels), zero_division=0)
    names = ("precision", "recall", "f1", "support")
    return {name: column.astype(np.float64) for name, column in zip(names, columns, strict=True)}


def log_losses(labels: Ints, probabilities: NDArray[np.floating]) -> Floats:
    """Return the log loss of each row; shape (rows,). Arguments as `row_values`."""
    return np.asarray(-np.log(clip(_label_probabilities(labels, probabilities), probabilities.dtype)))


def clip(probabilities: Floats, dtype: np.dtype[Any]) -> Floats:
    """Keep probabilities of a type as far from 0 and 1 as it can tell from 1, as scikit-learn does for the log loss."""
    smallest = float(np.finfo(dtype).eps)
    return np.clip(probabilities, smallest, 1 - smallest)


def brier_scores(labels: Ints, probabilities: NDArray[np.floating]) -> Floats:
    """Return the Brier score of each row (0 to 2), the squared error summed over the classes; shape (rows,)."""
    squares = np.einsum("ij,ij->i", probabilities, probabilities, dtype=np.float64)
    return np.asarray(squares - 2 * _label_probabilities(labels, probabilities) + 1)


def row_values(labels: Ints, probabilities: NDArray[np.floating]) -> dict[str, Floats]:
    """Return the metrics of probabilities, each as one value per row whose mean is the metric; shape (rows,).

    Args:
        labels: Label of each row; shape (rows,).
        probabilities: Shape (rows, num_labels).

    Returns:
        auroc and average_precision (each class against the rest, averaged over the classes that occur; for two
        classes that of the second one), log_loss, brier, and for many classes top_3_accuracy.
    """
    values = {
        "auroc": auroc_values(labels, probabilities),
        "average_precision": average_precision_values(labels, probabilities),
        "log_loss": log_losses(labels, probabilities),
        "brier": brier_scores(labels, probabilities),
    }
    if probabilities.shape[1] > MANY_LABELS:
        values["top_3_accuracy"] = (ranks(labels, probabilities) < 3).astype(np.float64)
    return values


def ranks(labels: Ints, probabilities: NDArray[np.floating]) -> Ints:
    """Return how many classes come before each row's label; shape (rows,).

    Of equally probable classes the first one leads, as in the predicted label: so rank 0 is a right prediction.
    """
    own = probabilities[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(probabilities.shape[1]) < labels[:, None]
    return np.asarray((probabilities > own).sum(1) + ((probabilities == own) & earlier).sum(1), dtype=np.int64)


def unit_sums(columns: Floats, units: Ints | None) -> Floats:
    """Return the sum over each unit's rows, from shape (rows, columns) to (units, columns)."""
    if units is None:
        return columns
    return np.stack([np.bincount(units, weights=column) for column in columns.T], axis=1)


def _label_probabilities(labels: Ints, probabilities: NDArray[np.floating]) -> Floats:
    """The probability of each row's label; shape (rows,)."""
    return probabilities[np.arange(len(labels)), labels].astype(np.float64)


def _mcc(hits: Floats, support: Floats, predicted: Floats) -> Floats:
    rows = support.sum(-1)
    covariance = hits.sum(-1) * rows - (support * predicted).sum(-1)
    variance = (rows**2 - (support**2).sum(-1)) * (rows**2 - (predicted**2).sum(-1))
    return ratio(covariance, np.sqrt(np.maximum(variance, 0)))


def _kappa(observed: Floats, expected: Floats) -> Floats:
    return np.where(expected != 0, 1 - ratio(observed, expected), 0.0)
