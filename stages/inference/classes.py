"""Predictions of classes: a label with calibrated probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.inference.decision import Calibration, closeness


@dataclass(frozen=True)
class Prediction:
    """The answer for one text.

    Args:
        label: Label by the tuned threshold if the model has one, else the most probable label.
        probability: Calibrated probability of `label` (0 to 1).
        probabilities: Calibrated probability of every label, in class order; they sum to 1.
    """

    label: str
    probability: float
    probabilities: dict[str, float]

    def parts(self, *, every_label: bool) -> list[str]:
        """Return what a line of a terminal shows."""
        others = [f"{label} {share:.3f}" for label, share in self.probabilities.items()] if every_label else []
        return [self.label, f"{self.probability:.3f}", *others]


def misfit(outputs: int) -> str | None:
    """Return why a model with this many outputs does not choose one of several labels."""
    return None if outputs > 1 else "the model does not choose one label of several. Use a single-label classifier."


def predictions(answers: NDArray[np.float32], labels: Sequence[str], calibration: Calibration) -> list[Prediction]:
    """Return label and probabilities of each row of calibrated probabilities, (rows, num_labels)."""
    return [
        Prediction(labels[index], float(row[index]), dict(zip(labels, row.tolist(), strict=True)))
        for index, row in zip(calibration.decide(answers, labels), answers, strict=True)
    ]


def columns(
    answers: NDArray[np.float32], labels: Sequence[str], calibration: Calibration, *, every_label: bool
) -> dict[str, Any]:
    """Return prediction and probability, and with `every_label` the probability of each label."""
    preds = calibration.decide(answers, labels)
    found: dict[str, Any] = {
        "prediction": np.array([labels[index] for index in preds], dtype=object),
        "probability": answers[np.arange(len(preds)), preds],
    }
    if every_label:
        found |= {f"probability_{label}": answers[:, index] for index, label in enumerate(labels)}
    return found


def uncertainty(answers: NDArray[np.float32], labels: Sequence[str], calibration: Calibration) -> NDArray[np.float64]:
    """Return 1 minus the lead of the most probable label over the next; with a threshold, how close it is; (rows,).

    Source: margin sampling, Scheffer et al., Active Hidden Markov Models for Information Extraction (2001).
    """
    if calibration.threshold is not None:
        return closeness(answers[:, calibration.positive_index(labels)], calibration.threshold)
    next_best, best = np.partition(answers.astype(np.float64), -2, axis=1)[:, -2:].T
    return np.asarray(1 - (best - next_best))
