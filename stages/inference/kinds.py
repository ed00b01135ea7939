"""What a saved model says of a text, by the kind of its target: the module that has the kind's name."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stages.inference import classes, label_set, number
from stages.inference.decision import Calibration
from stages.targets.target import Kind


class Predictor(Protocol):
    """From the answers of a model, (rows, outputs), to what people read; a module per kind has it."""

    def misfit(self, outputs: int) -> str | None:
        """Return why a model with this many outputs is not of this kind; None if it is."""

    def predictions(
        self, answers: NDArray[np.float32], labels: Sequence[str], calibration: Calibration
    ) -> Sequence[classes.Prediction | label_set.SetPrediction | number.NumberPrediction]:
        """Return a prediction per row."""

    def columns(
        self, answers: NDArray[np.float32], labels: Sequence[str], calibration: Calibration, *, every_label: bool
    ) -> dict[str, Any]:
        """Return the columns that a file of predictions gets, (rows,) each, by name."""

    def uncertainty(
        self, answers: NDArray[np.float32], labels: Sequence[str], calibration: Calibration
    ) -> NDArray[np.float64]:
        """Return how close each row's decision is, from 0 (certain) to 1 (it could as well be another); (rows,).

        Raises:
            ModelError: Such a model does not tell.
        """


PREDICTORS: Mapping[Kind, Predictor] = {"classes": classes, "label_set": label_set, "number": number}
