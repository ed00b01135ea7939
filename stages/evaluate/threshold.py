"""The decision threshold of a binary task: the probability from which on the second label is predicted."""

import numpy as np
from numpy.typing import NDArray

from stages.metrics.classification import count_scores


def fit_threshold(labels: NDArray[np.int64], probabilities: NDArray[np.floating], *, metric: str) -> float | None:
    """Return the threshold (0 to 1) on the second label's probability that is best by `metric`.

    Of equally good thresholds it is the middle of the widest range of them, where new rows change the result least.

    Args:
        labels: Labels of val; shape (rows,).
        probabilities: Calibrated; shape (rows, num_labels).
        metric: accuracy, macro_f1 or mcc.

    Returns:
        None for more than two classes; 0.5 if the rows have only one label.
    """
    if probabilities.shape[1] != 2:
        return None
    if len(np.unique(labels)) < 2:
        return 0.5
    positive = probabilities[:, 1].astype(np.float64)
    cuts = np.unique(positive)  # at cut k, rows with a probability of cuts[k] or more are predicted positive
    scores = count_scores(_counts(labels, positive, cuts), *_CELLS, num_labels=2)[metric]
    best = np.flatnonzero(scores >= scores.max() - 1e-12)
    ranges = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
    edges = np.concatenate([[0.0], cuts, [1.0]])  # all thresholds from edges[k] to edges[k + 1] predict as cut k does
    bounds = [(edges[cut_range[0]], edges[cut_range[-1] + 1]) for cut_range in ranges]
    low, high = max(bounds, key=lambda bound: bound[1] - bound[0])
    return round(float((low + high) / 2), 4)


_CELLS = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])  # label, prediction


def _counts(labels: NDArray[np.int64], positive: NDArray[np.float64], cuts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows of each cell at each cut, and at one more where no row is predicted positive; shape (cuts + 1, 4)."""
    counts = []
    for label in (0, 1):
        ranked = np.sort(positive[labels == label])
        below = np.append(np.searchsorted(ranked, cuts, "left"), len(ranked))
        counts += [below, len(ranked) - below]
    return np.stack(counts, axis=1)
