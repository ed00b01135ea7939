"""Do the probabilities mean what they say: temperature, decision threshold, calibration error (numpy only)."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COLDEST, HOTTEST = 0.05, 20.0
BINS, ROWS_PER_BIN = 15, 25  # fewer bins where they would hold fewer rows: their gaps would be noise
SMALLEST = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Bin:
    """Rows of like confidence.

    Args:
        rows: How many.
        confidence: Mean probability of the predicted label (0 to 1).
        accuracy: Share predicted right (0 to 1).
    """

    rows: int
    confidence: float
    accuracy: float


def scale(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float32]:
    """Return the probabilities with their logits divided by `temperature` (over 1: less sure); same shape."""
    logits = np.log(np.maximum(probabilities, SMALLEST).astype(np.float64)) / temperature
    logits -= logits.max(axis=1, keepdims=True)
    scaled: Floats = np.exp(logits)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled.astype(np.float32)


def fit_temperature(labels: Ints, probabilities: NDArray[np.floating]) -> float:
    """Return the temperature with the lowest log loss (0.05 to 20); 1 without rows or with a single label.

    Args:
        labels: Given labels; shape (rows,).
        probabilities: Of rows that the model was not trained on; shape (rows, num_labels).

    Source:
        Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", 2017.
    """
    if len(np.unique(labels)) < 2:
        return 1.0
    logits = np.log(np.maximum(probabilities, SMALLEST).astype(np.float64))
    logits -= logits.max(axis=1, keepdims=True)
    given = logits[np.arange(len(labels)), labels]

    def slope(inverse: float) -> float:  # of the log loss by 1 / temperature, in which it is convex
        weights = np.exp(logits * inverse)
        return float(((weights * logits).sum(1) / weights.sum(1) - given).mean())

    low, high = 1 / HOTTEST, 1 / COLDEST
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return round(2 / (low + high), 4)


def reliability(labels: Ints, probabilities: NDArray[np.floating], *, bins: int = BINS) -> list[Bin]:
    """Divide the rows into at most `bins` of equal size by confidence and compare confidence with accuracy."""
    confidence, right, edges = _adaptive(labels, probabilities, bins)
    return [
        Bin(int(end - start), float(confidence[start:end].mean()), float(right[start:end].mean()))
        for start, end in itertools.pairwise(edges)
    ]


def expected_calibration_error(labels: Ints, probabilities: NDArray[np.floating], *, bins: int = BINS) -> float:
    """Return the mean gap (0 to 1) between confidence and accuracy over bins of equal size.

    Source:
        Nixon et al., "Measuring calibration in deep learning", 2019 (adaptive calibration error).
    """
    parts = reliability(labels, probabilities, bins=bins)
    return sum(part.rows * abs(part.accuracy - part.confidence) for part in parts) / len(labels)


def calibration_gaps(labels: Ints, probabilities: NDArray[np.floating], *, bins: int = BINS) -> tuple[Ints, Floats]:
    """Return each row's bin and its gap, right (0 or 1) less confidence; shape (rows,) each.

    The calibration error is the sum over the bins of the absolute sums of gaps, by the rows.
    """
    confidence, right, edges = _adaptive(labels, probabilities, bins)
    order = np.argsort(probabilities.max(axis=1), kind="stable")
    numbers, gaps = np.empty(len(labels), dtype=np.int64), np.empty(len(labels))
    numbers[order] = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    gaps[order] = right - confidence
    return numbers, gaps


def _adaptive(labels: Ints, probabilities: NDArray[np.floating], bins: int) -> tuple[Floats, Floats, Ints]:
    """Confidence and rightness of the rows, sorted by confidence, and the edges of bins of equal size."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    order = np.argsort(confidence, kind="stable")
    bins = max(1, min(bins, len(labels) // ROWS_PER_BIN))
    edges = np.linspace(0, len(labels), bins + 1).round().astype(np.int64)
    return confidence[order], right[order], edges
