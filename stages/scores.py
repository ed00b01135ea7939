"""Metrics of a classifier from counts, for many resamples at once (numpy only).

One implementation gives both the value and its bootstrap interval, so the two can't disagree; torchmetrics has
neither the leading resample axis nor a quick import (4 s). Tests compare with scikit-learn and torchmetrics.

A *cell* is a group of rows that share their label and their predictions. Every metric here depends on a cell's
number of rows alone, so a resample is a handful of counts however many rows there are.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LOWER_IS_BETTER = frozenset({"log_loss"})


def count_scores(counts: NDArray[np.number], labels: Ints, preds: Ints, *, num_labels: int) -> dict[str, Floats]:
    """Return the metrics that need only labels and predicted labels.

    Args:
        counts: Rows in each cell; shape (..., cells).
        labels: Given label of each cell; shape (cells,).
        preds: Predicted label of each cell; shape (cells,).
        num_labels: Classes of the task.

    Returns:
        accuracy, balanced_accuracy, macro_f1, weighted_f1 and mcc, each of shape (...). Averages over classes skip
        a class that is neither given nor predicted (balanced accuracy: not given), as scikit-learn does.

    Source:
        mcc: Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient", 2004.
    """
    hits, given, predicted = marginals(counts, labels, preds, num_labels=num_labels)  # (..., num_labels) each
    rows = given.sum(-1)
    f1 = ratio(2 * hits, given + predicted)
    return {
        "accuracy": ratio(hits.sum(-1), rows),
        "balanced_accuracy": ratio(ratio(hits, given).sum(-1), (given > 0).sum(-1)),
        "macro_f1": ratio(f1.sum(-1), (given + predicted > 0).sum(-1)),
        "weighted_f1": ratio((f1 * given).sum(-1), rows),
        "mcc": _mcc(hits, given, predicted),
    }


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
    hits, given, predicted = marginals(np.ones(len(labels)), labels, preds, num_labels=num_labels)
    return {
        "precision": ratio(hits, predicted),
        "recall": ratio(hits, given),
        "f1": ratio(2 * hits, given + predicted),
        "support": given,
    }


def row_losses(labels: Ints, probabilities: NDArray[np.floating]) -> dict[str, Floats]:
    """Return the metrics that are means over rows, as one value per row; each of shape (rows,).

    Args:
        labels: Given label of each row; shape (rows,).
        probabilities: Shape (rows, num_labels).
    """
    given = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return {"log_loss": -np.log(np.maximum(given, np.finfo(np.float32).tiny))}


def mean_scores(losses: Mapping[str, Floats]) -> Callable[[NDArray[np.number]], dict[str, Floats]]:
    """Return a function of row counts, (..., rows), to the weighted means of `losses`, each of shape (...)."""
    values = np.stack(list(losses.values()), axis=-1)  # (rows, metrics)

    def score(counts: NDArray[np.number]) -> dict[str, Floats]:
        weights = counts.astype(np.float64)
        means = ratio(weights @ values, weights.sum(-1, keepdims=True))
        return {name: means[..., column] for column, name in enumerate(losses)}

    return score


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
