"""Curves over the test rows: precision against recall, and MCC per batch."""

import numpy as np
from numpy.typing import NDArray

from stages.metrics.classification import count_scores

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TUTORIAL_BATCH = 32  # rows per bar, as the CoLA tutorial draws them
MOST_BARS = 60
MOST_POINTS = 200


def precision_recall(labels: Ints, probabilities: NDArray[np.floating]) -> tuple[list[float], list[float]]:
    """Return recall and precision of the second label at every threshold, from the highest on; at most 200 points.

    Args:
        labels: Given labels, 0 or 1; shape (rows,).
        probabilities: Shape (rows, 2).
    """
    order = np.argsort(-probabilities[:, 1], kind="stable")
    ranked = probabilities[order, 1]
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, True))  # equal probabilities fall at one threshold
    hits = np.cumsum(labels[order] == 1)[last]
    recall, precision = hits / max(1, int(labels.sum())), hits / (last + 1)
    kept = np.unique(np.linspace(0, len(last) - 1, MOST_POINTS).astype(np.int64))
    return recall[kept].round(4).tolist(), precision[kept].round(4).tolist()


def batch_mcc(labels: Ints, preds: Ints, *, num_labels: int) -> tuple[int, list[float]]:
    """Return the batch size and the MCC of each batch of rows in their order; 32 rows, or more for at most 60 batches.

    The MCC of few rows is noisy: the bars show by how much, and why the total is not their mean.
    """
    size = max(TUTORIAL_BATCH, -(-len(labels) // MOST_BARS))
    starts = range(0, len(labels), size)
    ones = np.ones(size, dtype=np.int64)
    scores = [
        count_scores(ones[: len(part)], part, preds[start : start + size], num_labels=num_labels)["mcc"]
        for start in starts
        for part in [labels[start : start + size]]
    ]
    return size, [round(float(score), 4) for score in scores]
