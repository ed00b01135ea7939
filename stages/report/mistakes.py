"""The champion's mistakes: the most confident ones, and which labels it confuses."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.metrics.rule import DecisionRule
from stages.predictions import Predictions


@dataclass(frozen=True)
class Mistake:
    """A row that is predicted wrong."""

    id: str
    position: int
    label: str
    predicted: str
    probability: float  # of the predicted label, calibrated


@dataclass(frozen=True)
class Confusion:
    """How many rows of one label are predicted as another."""

    label: str
    predicted: str
    rows: int
    share: float  # of the label's rows (0 to 1)


def confident_mistakes(predictions: Predictions, labels: list[str], rule: DecisionRule, *, limit: int) -> list[Mistake]:
    """Return the wrong predictions with the highest calibrated probability, most confident first.

    Args:
        predictions: Of the champion.
        labels: Names of the classes.
        rule: Of the champion.
        limit: Maximum number of mistakes (>= 0).
    """
    preds = predictions.preds
    confidence = rule.calibrate(predictions.probabilities)[np.arange(len(preds)), preds]
    wrong = np.flatnonzero(preds != predictions.labels)
    order = wrong[np.argsort(-confidence[wrong], kind="stable")][:limit]
    return [
        Mistake(
            id=predictions.ids[row],
            position=int(predictions.positions[row]),
            label=labels[predictions.labels[row]],
            predicted=labels[preds[row]],
            probability=round(float(confidence[row]), 3),
        )
        for row in order
    ]


def frequent_confusions(matrix: NDArray[np.int64], labels: list[str], *, limit: int) -> list[Confusion]:
    """Return the most frequent confusions, largest first.

    Args:
        matrix: Rows by label (first axis) and predicted label; shape (num_labels, num_labels).
        labels: Names of the classes.
        limit: Maximum number of confusions (>= 0).
    """
    wrong = matrix * (1 - np.eye(len(labels), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    pairs = [divmod(int(flat), len(labels)) for flat in order]
    return [
        Confusion(labels[label], labels[pred], int(wrong[label, pred]), float(wrong[label, pred] / matrix[label].sum()))
        for label, pred in pairs
        if wrong[label, pred] > 0
    ]
