"""The decision rule of label sets: how a model's probabilities become calibrated probabilities and sets of labels.

It is fitted once, on val. Everything that is measured and everything that is predicted uses it from here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.metrics.calibration import fit_temperature, scale

THRESHOLD = 0.5  # of a label without a tuned one


@dataclass(frozen=True)
class SetRule:
    """A temperature, and a threshold for each label.

    Args:
        temperature: Divides the logits (> 0); 1 leaves the probabilities as they are.
        thresholds: By label, the least calibrated probability (0 to 1) with which it is predicted; None: 0.5.
    """

    temperature: float
    thresholds: Sequence[float | None]

    def calibrate(self, probabilities: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return calibrated probabilities; shape (rows, num_labels), as the model's own."""
        pairs = scale(as_pairs(probabilities.ravel()), self.temperature)
        return np.asarray(pairs[:, 1].reshape(probabilities.shape), dtype=np.float32)

    def decide(self, calibrated: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return which labels are predicted from calibrated probabilities; shape (rows, num_labels)."""
        least = [THRESHOLD if threshold is None else threshold for threshold in self.thresholds]
        return np.asarray(calibrated >= np.array(least))


def fit_set_temperature(labels: NDArray[np.bool_], probabilities: NDArray[np.floating]) -> float:
    """Return the temperature (0.05 to 20) that suits all labels together; both arguments are (rows, num_labels)."""
    return fit_temperature(labels.ravel().astype(np.int64), as_pairs(probabilities.ravel()))


def as_pairs(positive: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return probabilities of having a label, (rows,), as those of not having it and of having it, (rows, 2)."""
    return np.stack([1 - positive, positive], axis=1)
