"""Metrics of a classifier, for many resamples at once (numpy only).

One implementation gives both the value and its bootstrap interval, so the two can't disagree; torchmetrics has
neither the leading resample axis nor a quick import (4 s). Tests compare with scikit-learn and torchmetrics.

Two kinds. Metrics of labels and predicted labels need counts alone: a *cell* is a group of rows that share label and
predictions, so a resample is a handful of numbers however many rows there are. Metrics of probabilities are means
of one value per row (or are made so, see `ranking.py`), so a resample is a matrix product.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from stages.metrics.ranking import auroc_values, average_precision_values

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LOWER_IS_BETTER = frozenset({"mean_absolute_error", "log_loss", "brier", "ece"})
MANY_LABELS = 10  # from so many classes on, the top 3 are scored as well


def count_scores(
    counts: NDArray[np.number], labels: Ints, preds: Ints, *, num_labels: int, ordered: bool = False
) -> dict[str, Floats]:
    """Return the metrics that need only labels and predicted labels.

    Args:
        counts: Rows in each cell; shape (..., cells).
        labels: Given label of each cell; shape (cells,).
        preds: Predicted label of each cell; shape (cells,).
        num_labels: Classes of the task.
        ordered: Whether the classes have an order and equal steps, as stars do.

    Returns:
        accuracy, balanced_accuracy, macro_f1, weighted_f1, micro_f1, mcc, kappa, and for ordered classes
        quadratic_kappa and mean_absolute_error (in classes); each of shape (...). Averages over classes skip a class
        that is neither given nor predicted (balanced accuracy: not given), as scikit-learn does.

    Source:
        mcc: Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient", 2004.
        kappa: Cohen, "A coefficient of agreement for nominal scales", 1960; "Weighted kappa", 1968.
    """
    weights = counts.astype(np.float64)
    hits, given, predicted = marginals(weights, labels, preds, num_labels=num_labels)  # (..., num_labels) each
    rows = given.sum(-1)
    f1 = ratio(2 * hits, given + predicted)
    accuracy = ratio(hits.sum(-1), rows)
    scores = {
        "accuracy": accuracy,
        "balanced_accuracy": ratio(ratio(hits, given).sum(-1), (given > 0).sum(-1)),
        "macro_f1": ratio(f1.sum(-1), (given + predicted > 0).sum(-1)),
        "weighted_f1": ratio((f1 * given).sum(-1), rows),
        "micro_f1": accuracy,
        "mcc": _mcc(hits, given, predicted),
        "kappa": _kappa(rows - hits.sum(-1), rows - ratio((given * predicted).sum(-1), rows)),
    }
    if ordered:
        classes = np.arange(num_labels)
        squares = (classes[:, None] - classes) ** 2.0  # (num_labels, num_labels)
        expected = ratio(((given @ squares) * predicted).sum(-1), rows)
        scores["quadratic_kappa"] = _kappa(weights @ ((labels - preds) ** 2.0), expected)
        scores["mean_absolute_error"] = ratio(weights @ np.abs(labels - preds).astype(np.float64), rows)
    return scores


def marginals(
    counts: NDArray[np.number], labels: Ints, preds: Ints, *, num_labels: int
) -> tuple[Floats, Floats, Floats]:
    """Return rows rightly predicted, given and predicted per class; each of shape (..., num_labels)."""
    weights = counts.astype(np.float64)
    classes = np.arange(num_labels)
    given = (labels[:, None] == classes).astype(np.float64)  # (cells, num_labels)
    predicted = (preds[:, None] == classes).astype(np.float64)
    return weights @ (given * predicted), weights @ given, weights @ predicted


def per_class(labels: Ints, preds: Ints, *, num_labels: int) -> dict[str, Floats]:
    """Return precision, recall, f1 and support of every class; each of shape (num_labels,). 0 where undefined."""
    pairs = np.bincount(labels * num_labels + preds, minlength=num_labels**2).reshape(num_labels, num_labels)
    hits, given, predicted = np.diag(pairs), pairs.sum(1), pairs.sum(0)
    return {
        "precision": ratio(hits, predicted),
        "recall": ratio(hits, given),
        "f1": ratio(2 * hits, given + predicted),
        "support": given.astype(np.float64),
    }


def row_losses(labels: Ints, probabilities: NDArray[np.floating]) -> dict[str, Floats]:
    """Return the log loss as one value per row; shape (rows,). Arguments as `row_values`."""
    given = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return {"log_loss": -np.log(np.maximum(given, np.finfo(np.float32).tiny))}


def proper_scores(labels: Ints, probabilities: NDArray[np.floating]) -> dict[str, Floats]:
    """Return log_loss and brier as one value per row; shape (rows,). Arguments as `row_values`."""
    given = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    squares = np.einsum("ij,ij->i", probabilities, probabilities, dtype=np.float64)
    return row_losses(labels, probabilities) | {"brier": squares - 2 * given + 1}


def row_values(labels: Ints, probabilities: NDArray[np.floating]) -> dict[str, Floats]:
    """Return the metrics of probabilities, each as one value per row whose mean is the metric; shape (rows,).

    Args:
        labels: Given label of each row; shape (rows,).
        probabilities: Shape (rows, num_labels).

    Returns:
        auroc and average_precision (one class against the rest, mean over the classes that are given; for two
        classes the second one's), log_loss, brier (sum over the classes of the squared error, 0 to 2), and for many
        classes top_3_accuracy.
    """
    rows, num_labels = probabilities.shape
    given = probabilities[np.arange(rows), labels].astype(np.float64)
    values = {
        "auroc": auroc_values(labels, probabilities),
        "average_precision": average_precision_values(labels, probabilities),
    }
    values |= proper_scores(labels, probabilities)
    if num_labels > MANY_LABELS:
        values["top_3_accuracy"] = ((probabilities > given[:, None]).sum(1) < 3).astype(np.float64)
    return values


def mean_scores(
    values: Mapping[str, Floats], units: Ints | None = None
) -> Callable[[NDArray[np.number]], dict[str, Floats]]:
    """Return a function of counts, (..., units), to the weighted means of `values`, each of shape (...).

    Args:
        values: One value per row; shape (rows,).
        units: Which unit each row belongs to, where several rows are drawn as one; else every row is its own.
    """
    columns = unit_sums(np.stack(list(values.values()), axis=-1), units)  # (units, metrics)
    sizes = unit_sums(np.ones((len(next(iter(values.values()))), 1)), units)[:, 0]

    def score(counts: NDArray[np.number]) -> dict[str, Floats]:
        weights = counts.astype(np.float64)
        means = ratio(weights @ columns, (weights @ sizes)[..., None])
        return {name: means[..., column] for column, name in enumerate(values)}

    return score


def unit_sums(columns: Floats, units: Ints | None) -> Floats:
    """Return the sums of each unit's rows; (rows, columns) to (units, columns)."""
    if units is None:
        return columns
    return np.stack([np.bincount(units, weights=column) for column in columns.T], axis=1)


def ratio(numerator: NDArray[np.number], denominator: NDArray[np.number]) -> Floats:
    """Divide, with 0 where the denominator is 0."""
    shape = np.broadcast_shapes(np.shape(numerator), np.shape(denominator))
    quotient: Floats = np.divide(numerator, denominator, out=np.zeros(shape), where=np.asarray(denominator) != 0)
    return quotient


def _mcc(hits: Floats, given: Floats, predicted: Floats) -> Floats:
    rows = given.sum(-1)
    covariance = hits.sum(-1) * rows - (given * predicted).sum(-1)
    variance = (rows**2 - (given**2).sum(-1)) * (rows**2 - (predicted**2).sum(-1))
    return ratio(covariance, np.sqrt(np.maximum(variance, 0)))


def _kappa(observed: Floats, expected: Floats) -> Floats:
    return np.where(expected != 0, 1 - ratio(observed, expected), 0.0)
