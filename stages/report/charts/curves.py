"""Curves over the rows: precision against recall, and MCC per batch."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from stages.metrics.classification import count_scores
from stages.predictions import Predictions

MAX_BATCHES = 60
MAX_POINTS = 200


def precision_recall(predictions: Predictions) -> tuple[list[float], list[float]]:
    """Return recall and precision of the second label by threshold, from the highest threshold down.

    Returns:
        At most 200 points; both lists are empty if no row has the second label.
    """
    if not predictions.labels.any():
        return [], []
    precision, recall, thresholds = precision_recall_curve(predictions.labels, predictions.probabilities[:, 1])
    points = np.unique(np.linspace(0, len(thresholds) - 1, MAX_POINTS).astype(np.int64))
    by_threshold = slice(len(thresholds) - 1, None, -1)  # without the point that scikit-learn adds at recall 0
    return recall[by_threshold][points].round(4).tolist(), precision[by_threshold][points].round(4).tolist()


def batch_mcc(
    labels: NDArray[np.int64], preds: NDArray[np.int64], *, batch_size: int, num_labels: int
) -> tuple[int, list[float]]:
    """Return the batch size and the MCC of each batch, in the order of the rows.

    A batch has `batch_size` rows (>= 1), or more if there would be more than 60 batches. The bars show how much the MCC
    of a few rows varies, and why the overall MCC is not their mean.
    """
    size = max(batch_size, -(-len(labels) // MAX_BATCHES))
    scores = []
    for start in range(0, len(labels), size):
        batch = slice(start, start + size)
        counts = np.ones(len(labels[batch]), dtype=np.int64)
        mcc = count_scores(counts, labels[batch], preds[batch], num_labels=num_labels)["mcc"]
        scores.append(round(float(mcc), 4))
    return size, scores
