"""Temperature scaling of probabilities, and their calibration error."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.metrics.classification import SMALLEST

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LOWEST, HIGHEST = 0.05, 20.0  # temperatures
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
    """Return the temperature with the lowest log loss (0.05 to 20); 1 without rows or with only one label.

    Args:
        labels: Label of each row; shape (rows,).
        probabilities: Of rows that the model was not trained on; shape (rows, num_labels).

    Source:
        Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", 2017.
    """
    from scipy.optimize import brentq  # 0.3 s of imports that a comparison does not need

    if len(np.unique(labels)) < 2:
        return 1.0
    logits = _logits(probabilities)
    label_logits = logits[np.arange(len(labels)), labels]

    def slope(inverse: float) -> float:  # of the log loss by 1 / temperature, in which it is convex
        weights = np.exp(logits * inverse)
        return float(((weights * logits).sum(1) / weights.sum(1) - label_logits).mean())

    low, high = 1 / HIGHEST, 1 / LOWEST
    if slope(low) >= 0:  # the log loss rises with 1 / temperature over the whole range
        return HIGHEST
    if slope(high) <= 0:  # it falls over the whole range
        return LOWEST
    return round(1 / float(brentq(slope, low, high, xtol=1e-11)), 4)


def reliability(labels: Ints, probabilities: NDArray[np.floating], *, bins: int = BINS) -> list[Bin]:
    """Return the confidence and the accuracy of at most `bins` groups of equal size, ordered by confidence."""
    confidence, right, edges = _equal_bins(labels, probabilities, bins)
    return [
        Bin(int(end - start), float(confidence[start:end].mean()), float(right[start:end].mean()))
        for start, end in itertools.pairwise(edges)
    ]


def expected_calibration_error(labels: Ints, probabilities: NDArray[np.floating], *, bins: int = BINS) -> float:
    """Return the mean gap (0 to 1) between confidence and accuracy over bins of equal size.

    Source:
        Nixon et al., "Measuring calibration in deep learning", 2019 (adaptive calibration error).
    """
    groups = reliability(labels, probabilities, bins=bins)
    return sum(group.rows * abs(group.accuracy - group.confidence) for group in groups) / len(labels)


def calibration_gaps(labels: Ints, probabilities: NDArray[np.floating], *, bins: int = BINS) -> tuple[Ints, Floats]:
    """Return each row's bin and its gap, which is correctness (0 or 1) minus confidence; shape (rows,) each.

    The calibration error is the sum, over the bins, of the absolute value of a bin's summed gaps, divided by the rows.
    """
    confidence, right, edges = _equal_bins(labels, probabilities, bins)
    order = np.argsort(probabilities.max(axis=1), kind="stable")
    numbers, gaps = np.empty(len(labels), dtype=np.int64), np.empty(len(labels))
    numbers[order] = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    gaps[order] = right - confidence
    return numbers, gaps


def _logits(probabilities: NDArray[np.floating], temperature: float = 1.0) -> Floats:
    """Logits whose softmax gives the probabilities at this temperature; the largest of each row is 0."""
    logits: Floats = np.log(np.maximum(probabilities, SMALLEST).astype(np.float64)) / temperature
    logits -= logits.max(axis=1, keepdims=True)
    return logits


def _equal_bins(labels: Ints, probabilities: NDArray[np.floating], bins: int) -> tuple[Floats, Floats, Ints]:
    """Confidence and correctness of the rows, sorted by confidence, and the edges of bins of equal size."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    order = np.argsort(confidence, kind="stable")
    bins = max(1, min(bins, len(labels) // ROWS_PER_BIN))
    edges = np.linspace(0, len(labels), bins + 1).round().astype(np.int64)
    return confidence[order], right[order], edges
