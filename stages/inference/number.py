"""Predictions of a number, with the interval that the true one is in, where the model's folder has its width."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.errors import ModelError
from stages.inference.decision import Calibration


@dataclass(frozen=True)
class NumberPrediction:
    """The answer for one text, in the unit of the data that the model was fine-tuned on.

    Args:
        number: The prediction.
        low: Lower end of the interval that has the true number with the confidence of calibration.json; None: its width
            is not known.
        high: Its upper end.
    """

    number: float
    low: float | None
    high: float | None

    def parts(self, *, every_label: bool) -> list[str]:
        """Return what a line of a terminal shows."""
        between = [] if self.low is None else [f"({self.low:.4g} to {self.high:.4g})"]
        return [f"{self.number:.4g}", *between]


def misfit(outputs: int) -> str | None:
    """Return why a model with this many outputs does not give a number."""
    return None if outputs == 1 else f"the model gives {outputs} numbers. Use a model of one number, or a classifier."


def predictions(
    answers: NDArray[np.float32], labels: Sequence[str], calibration: Calibration
) -> list[NumberPrediction]:
    """Return the number of each row of answers, (rows, 1), with its interval."""
    width = calibration.half_width
    return [
        NumberPrediction(number, None if width is None else number - width, None if width is None else number + width)
        for number in answers[:, 0].tolist()
    ]


def columns(
    answers: NDArray[np.float32], labels: Sequence[str], calibration: Calibration, *, every_label: bool
) -> dict[str, Any]:
    """Return prediction, low and high, as 64-bit numbers; low and high only where the width is known."""
    numbers = answers[:, 0].astype(np.float64)
    if calibration.half_width is None:
        return {"prediction": numbers}
    return {
        "prediction": numbers,
        "low": numbers - calibration.half_width,
        "high": numbers + calibration.half_width,
    }


def uncertainty(answers: NDArray[np.float32], labels: Sequence[str], calibration: Calibration) -> NDArray[np.float64]:
    """Refuse: the interval of a number is equally wide for all texts.

    Raises:
        ModelError: Always.
    """
    raise ModelError(
        "The model gives a number, and its interval is equally wide for every text, so it can't tell which texts it is "
        "unsure of. Label rows at random, in pandas with rows.sample(200)."
    )
