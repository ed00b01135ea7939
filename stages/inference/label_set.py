"""Predictions of sets of labels: those whose calibrated probability reaches their threshold, none included."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.inference.decision import Calibration
from stages.metrics.set_rule import SetRule


@dataclass(frozen=True)
class SetPrediction:
    """The answer for one text.

    Args:
        labels: The labels that the text has, in the model's order; may be empty.
        probabilities: Calibrated probability of every label (0 to 1), whatever the others have.
    """

    labels: list[str]
    probabilities: dict[str, float]

    def parts(self, *, every_label: bool) -> list[str]:
        """Return what a line of a terminal shows."""
        shown = self.probabilities if every_label else self.labels
        return [", ".join(self.labels) or "none", *(f"{label} {self.probabilities[label]:.3f}" for label in shown)]


def misfit(outputs: int) -> str | None:
    """Return why a model with this many outputs does not choose any number of several labels."""
    return None if outputs > 1 else "the model has fewer than two labels. Use a model of several."


def predictions(answers: NDArray[np.float32], labels: Sequence[str], calibration: Calibration) -> list[SetPrediction]:
    """Return the labels of each row of calibrated probabilities, (rows, num_labels)."""
    return [
        SetPrediction(
            [label for label, flag in zip(labels, flags, strict=True) if flag],
            dict(zip(labels, row.tolist(), strict=True)),
        )
        for flags, row in zip(_decide(answers, labels, calibration), answers, strict=True)
    ]


def columns(
    answers: NDArray[np.float32], labels: Sequence[str], calibration: Calibration, *, every_label: bool
) -> dict[str, Any]:
    """Return the sets, an Arrow array of lists, and the probability of each label."""
    sets = [prediction.labels for prediction in predictions(answers, labels, calibration)]
    probabilities = {f"probability_{label}": answers[:, index] for index, label in enumerate(labels)}
    return {"prediction": pa.array(sets, pa.list_(pa.string()))} | probabilities


def _decide(answers: NDArray[np.float32], labels: Sequence[str], calibration: Calibration) -> NDArray[np.bool_]:
    thresholds = [calibration.thresholds.get(label) for label in labels]
    return SetRule(calibration.temperature, thresholds).decide(answers)
