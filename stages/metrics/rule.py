"""The decision rule: how a model's probabilities become calibrated probabilities and labels.

It is fitted once, on val. Everything that is measured and everything that is predicted uses it from here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.metrics.calibration import scale


@dataclass(frozen=True)
class DecisionRule:
    """A temperature, and for two classes a threshold.

    Args:
        temperature: Divides the logits (> 0); 1 leaves the probabilities as they are.
        threshold: For two classes, the least calibrated probability (0 to 1) of the class `positive` with which it is
            chosen; None: the most probable class is chosen.
        positive: Index of the class that the threshold is for.
    """

    temperature: float = 1.0
    threshold: float | None = None
    positive: int = 1

    def calibrate(self, probabilities: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return calibrated probabilities; shape (rows, num_labels), as the model's own."""
        return scale(probabilities, self.temperature)

    def decide(self, calibrated: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return the class of each row of calibrated probabilities, (rows, num_labels); shape (rows,)."""
        if self.threshold is None:
            return np.asarray(calibrated.argmax(axis=1), dtype=np.int64)
        return np.where(calibrated[:, self.positive] >= self.threshold, self.positive, 1 - self.positive)
