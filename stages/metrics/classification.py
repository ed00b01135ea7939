"""Metrics of a classifier, for many resamples at once.

The same code computes a metric's value and its bootstrap interval, so the two can't disagree. torchmetrics has no
leading axis for resamples and takes 4 s to import; tests compare with it and with scikit-learn.

Two kinds of metrics. Those of labels and predicted labels need only counts: a *cell* counts the rows that share label
and predictions, so a resample is a handful of numbers however many rows there are. Those of probabilities are means
over rows (see `ranking.py` for AUROC and average precision), so scoring all resamples is a matrix product.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from stages.metrics.ranking import auroc_values, average_precision_values

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
    weights = counts.astype(np.float64)
    hits, support, predicted = marginals(weights, labels, preds, num_labels=num_labels)  # (..., num_labels) each
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
        scores["quadratic_kappa"] = _kappa(weights @ ((labels - preds) ** 2.0), expected)
        scores["mean_absolute_error"] = ratio(weights @ np.abs(labels - preds).astype(np.float64), rows)
    return scores


def marginals(
    counts: NDArray[np.number], labels: Ints, preds: Ints, *, num_labels: int
) -> tuple[Floats, Floats, Floats]:
    """Return each class's rows that are predicted right, that have it, and that are predicted to have it.

    Args as `count_scores`; each array of shape (..., num_labels).
    """
    weights = counts.astype(np.float64)
    classes = np.arange(num_labels)
    has_label = (labels[:, None] == classes).astype(np.float64)  # (cells, num_labels)
    is_predicted = (preds[:, None] == classes).astype(np.float64)
    return weights @ (has_label * is_predicted), weights @ has_label, weights @ is_predicted


def per_class(labels: Ints, preds: Ints, *, num_labels: int) -> dict[str, Floats]:
    """Return precision, recall, f1 and support of every class; each of shape (num_labels,). 0 where undefined."""
    from sklearn.metrics import precision_recall_fscore_support  # 1 s of imports that a comparison does not need

    columns = precision_recall_fscore_support(labels, preds, labels=np.arange(num_labels), zero_division=0)
    names = ("precision", "recall", "f1", "support")
    return {name: column.astype(np.float64) for name, column in zip(names, columns, strict=True)}


def log_losses(labels: Ints, probabilities: NDArray[np.floating]) -> Floats:
    """Return the log loss of each row; shape (rows,). Arguments as `row_values`."""
    return np.asarray(-np.log(np.maximum(_label_probabilities(labels, probabilities), SMALLEST)))


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
        more_probable = probabilities > _label_probabilities(labels, probabilities)[:, None]
        values["top_3_accuracy"] = (more_probable.sum(1) < 3).astype(np.float64)
    return values


def mean_scores(
    values: Mapping[str, Floats], units: Ints | None = None
) -> Callable[[NDArray[np.number]], dict[str, Floats]]:
    """Return a function from counts, (..., units), to the weighted means of `values`, each of shape (...).

    Args:
        values: One value per row; shape (rows,).
        units: The unit of each row, where rows are resampled in units; None: each row is a unit.
    """
    columns = unit_sums(np.stack(list(values.values()), axis=-1), units)  # (units, metrics)
    sizes = unit_sums(np.ones((len(next(iter(values.values()))), 1)), units)[:, 0]

    def score(counts: NDArray[np.number]) -> dict[str, Floats]:
        weights = counts.astype(np.float64)
        means = ratio(weights @ columns, (weights @ sizes)[..., None])
        return {name: means[..., column] for column, name in enumerate(values)}

    return score


def unit_sums(columns: Floats, units: Ints | None) -> Floats:
    """Return the sum over each unit's rows, from shape (rows, columns) to (units, columns)."""
    if units is None:
        return columns
    return np.stack([np.bincount(units, weights=column) for column in columns.T], axis=1)


def ratio(numerator: NDArray[np.number], denominator: NDArray[np.number]) -> Floats:
    """Divide, with 0 where the denominator is 0; shape as `numerator`, to which the denominator is broadcast."""
    zeros = np.zeros(np.shape(numerator))
    quotient: Floats = np.divide(numerator, denominator, out=zeros, where=np.asarray(denominator) != 0)
    return quotient


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
