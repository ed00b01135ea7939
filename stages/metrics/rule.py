"""The decision rule: how a model's probabilities become calibrated probabilities and labels.

It is fitted once, on val. Everything that is measured and everything that is predicted uses it from here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.metrics.calibration import scale

MOST_CHANCE = 0.05  # a threshold is taken if fewer resamples than this share have no gain


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


@dataclass(frozen=True)
class Trial:
    """What a tuned threshold gained on rows of val that it was not tuned on.

    Attributes:
        threshold: Tuned on all rows (0 to 1).
        gain: Its metric minus that of the most probable label.
        chance: Share of resamples of the rows that have no gain (0 to 1); those with equal metrics count half.
    """

    threshold: float
    gain: float
    chance: float

    @property
    def taken(self) -> bool:
        """Whether the gain is more than chance."""
        return self.chance < MOST_CHANCE
