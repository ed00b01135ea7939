"""How uncertain the mean of a slice is."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def mean_error(values: Floats, groups: Ints | None, *, tail: float) -> float:
    """Return half the width of the interval of a mean, by Student's t over the groups.

    Args:
        values: Shape (rows,).
        groups: Equal for rows that belong together; shape (rows,). None: each row is its own.
        tail: Chance that the true mean is above the interval (0 to 0.5).
    """
    numbers = np.arange(len(values)) if groups is None else np.unique(groups, return_inverse=True)[1]
    sums = np.bincount(numbers, weights=values - values.mean())
    units = len(sums)
    if units < 2:
        return float(np.ptp(values)) + abs(float(values.mean()))  # it says nothing of its spread
    variance = float(sums @ sums) * units / (units - 1) / len(values) ** 2
    return float(stdtrit(units - 1, 1 - tail)) * math.sqrt(variance)
