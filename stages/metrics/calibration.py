"""Temperature scaling of probabilities, and their calibration error."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.metrics.classification import SMALLEST

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PRIOR_SCALE = 0.25  # of the logarithm of the temperature; by the simulation in benchmarks/statistics_calibration.py
GRID = (np.arange(-12, 13) * math.log(20) / 12).tolist()  # logarithms of the temperatures from 0.05 to 20
BINS, ROWS_PER_BIN = 15, 25  # at most and at least: the gap of a bin with fewer rows would be noise


@dataclass(frozen=True)
class Bin:
    """Rows with similar confidence.

    Attributes:
        rows: Number of rows.
        confidence: Mean probability of the predicted label (0 to 1).
        accuracy: Share of the rows predicted right (0 to 1).
    """

    rows: int
    confidence: float
    accuracy: float


def scale(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float32]:
    """Return the probabilities with their logits divided by `temperature` (above 1: less confident); same shape."""
    scaled = np.exp(_logits(probabilities, temperature))
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled.astype(np.float32)


def fit_temperature(labels: Ints, probabilities: NDArray[np.floating]) -> float:
    """Return the most probable temperature (0.05 to 20); 1 without rows or with only one label.

    The log loss alone is no guide where val is small: without a mistake in it the loss falls with the temperature down
    to 0. So the logarithm of the temperature has a prior around 0, and the temperature stays 1 unless the rows say
    otherwise.

    Args:
        labels: Label of each row; shape (rows,).
        probabilities: Of rows that the model was not trained on; shape (rows, num_labels).

    Source:
        Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", 2017. The prior is Laplace's, as in
        Tibshirani, "Regression shrinkage and selection via the lasso", 1996.
    """
    from scipy.optimize import minimize_scalar  # 0.3 s of imports that a comparison does not need

    if len(np.unique(labels)) < 2:
        return 1.0
    logits = _logits(probabilities)
    label_logits = float(logits[np.arange(len(labels)), labels].sum())

    def cost(log_temperature: float) -> float:  # minus the log posterior
        inverse = math.exp(-log_temperature)
        log_loss = float(np.log(np.exp(logits * inverse).sum(axis=1)).sum()) - label_logits * inverse
        return log_loss + abs(log_temperature) / PRIOR_SCALE

    # The cost can have several minima, so the grid finds the deepest. It has a kink at 0, which is a point of the grid.
    costs = [cost(point) for point in GRID]
    lowest = int(np.argmin(costs))
    minima = [(costs[lowest], GRID[lowest])]
    for low, high in itertools.pairwise(GRID[max(0, lowest - 1) : lowest + 2]):
        result = minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
        minima.append((float(result.fun), float(result.x)))
    return round(math.exp(min(minima)[1]), 4)


def reliability(
    labels: Ints, probabilities: NDArray[np.floating], *, preds: Ints | None = None, bins: int = BINS
) -> list[Bin]:
    """Return the confidence and the accuracy of at most `bins` groups of equal size, ordered by confidence.

    Args:
        labels: Label of each row; shape (rows,).
        probabilities: Shape (rows, num_labels).
        preds: Predicted label of each row, whose probability is the confidence; None: the most probable one.
        bins: At most (>= 1); fewer for few rows.
    """
    _, confidence, right, edges = _equal_bins(labels, probabilities, preds, bins)
    return [
        Bin(int(end - start), float(confidence[start:end].mean()), float(right[start:end].mean()))
        for start, end in itertools.pairwise(edges)
    ]


def expected_calibration_error(
    labels: Ints, probabilities: NDArray[np.floating], *, preds: Ints | None = None, bins: int = BINS
) -> float:
    """Return the mean gap (0 to 1) between confidence and accuracy over bins of equal size; see `reliability`.

    Source:
        Nixon et al., "Measuring calibration in deep learning", 2019 (adaptive calibration error).
    """
    groups = reliability(labels, probabilities, preds=preds, bins=bins)
    return sum(group.rows * abs(group.accuracy - group.confidence) for group in groups) / len(labels)


def calibration_gaps(
    labels: Ints, probabilities: NDArray[np.floating], *, preds: Ints | None = None, bins: int = BINS
) -> tuple[Ints, Floats]:
    """Return each row's bin and its gap, which is correctness (0 or 1) minus confidence; shape (rows,) each.

    The calibration error is the sum, over the bins, of the absolute value of a bin's summed gaps, divided by the rows.
    """
    order, confidence, right, edges = _equal_bins(labels, probabilities, preds, bins)
    numbers, gaps = np.empty(len(labels), dtype=np.int64), np.empty(len(labels))
    numbers[order] = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    gaps[order] = right - confidence
    return numbers, gaps


def _logits(probabilities: NDArray[np.floating], temperature: float = 1.0) -> Floats:
    """Logits whose softmax gives the probabilities at this temperature; the largest of each row is 0."""
    logits: Floats = np.log(np.maximum(probabilities, SMALLEST).astype(np.float64)) / temperature
    logits -= logits.max(axis=1, keepdims=True)
    return logits


def _equal_bins(
    labels: Ints, probabilities: NDArray[np.floating], preds: Ints | None, bins: int
) -> tuple[Ints, Floats, Floats, Ints]:
    """The rows' order by confidence, their confidence and correctness in it, and the edges of bins of equal size."""
    preds = probabilities.argmax(axis=1) if preds is None else preds
    confidence = probabilities[np.arange(len(labels)), preds].astype(np.float64)
    right = (preds == labels).astype(np.float64)
    order = np.argsort(confidence, kind="stable")
    bins = max(1, min(bins, len(labels) // ROWS_PER_BIN))
    edges = np.linspace(0, len(labels), bins + 1).round().astype(np.int64)
    return order, confidence[order], right[order], edges
