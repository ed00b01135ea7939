"""Where the champion is surest and wrong."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.predictions import Predictions


@dataclass(frozen=True)
class Mistake:
    id: str
    position: int
    label: str
    predicted: str
    probability: float  # of the predicted label


def confident_mistakes(split: Predictions, labels: list[str], *, limit: int) -> list[Mistake]:
    """Return the wrong predictions with the highest probability, surest first.

    Args:
        split: Predictions of the champion.
        labels: Names of the classes.
        limit: At most so many (>= 0).
    """
    preds, surest = split.preds, split.probabilities.max(axis=1, initial=0)
    wrong = np.flatnonzero(preds != split.labels)
    order = wrong[np.argsort(-surest[wrong], kind="stable")][:limit]
    return [
        Mistake(
            id=split.ids[row],
            position=int(split.positions[row]),
            label=labels[split.labels[row]],
            predicted=labels[preds[row]],
            probability=round(float(surest[row]), 3),
        )
        for row in order
    ]


def confusion_matrix(split: Predictions, num_labels: int) -> NDArray[np.int64]:
    """Count rows by given label (first axis) and predicted label; shape (num_labels, num_labels)."""
    flat = split.labels * num_labels + split.preds
    return np.bincount(flat, minlength=num_labels**2).reshape(num_labels, num_labels)


def confusion_pairs(matrix: NDArray[np.int64], labels: list[str], *, limit: int) -> list[tuple[str, str, int, float]]:
    """Return the most frequent confusions: given label, predicted label, rows, share of the given label's rows."""
    wrong = matrix * (1 - np.eye(len(labels), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    pairs = [divmod(int(flat), len(labels)) for flat in order]
    return [
        (labels[given], labels[pred], int(wrong[given, pred]), float(wrong[given, pred] / matrix[given].sum()))
        for given, pred in pairs
        if wrong[given, pred] > 0
    ]
