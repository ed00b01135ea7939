"""Intervals of single predictions of a number: as wide as val shows that they have to be.

Source:
    Vovk, Gammerman, Shafer, "Algorithmic learning in a random world", 2005; split conformal prediction, Lei et al.,
    "Distribution-free predictive inference for regression", 2018, algorithm 2.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.metrics.exact_share import exact_interval

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Coverage:
    """How many rows have their number within the interval: the share, and its exact (Clopper-Pearson) interval."""

    value: float
    low: float
    high: float


def half_width(errors: Floats, confidence: float) -> float | None:
    """Return how far from a prediction the number is at most, with this confidence.

    Args:
        errors: Absolute errors on rows that did not train the model; shape (rows,).
        confidence: 0 to 1.

    Returns:
        None: the rows are too few for this confidence.
    """
    rank = math.ceil(round((len(errors) + 1) * confidence, 9))  # 100 * 0.55 is a little more than 55
    return None if rank > len(errors) else float(np.sort(errors)[rank - 1])


def coverage(errors: Floats, width: float, *, confidence: float) -> Coverage:
    """Return the share of the rows (0 to 1) whose absolute error is at most `width`, with its interval."""
    share = float((errors <= width).mean())
    return Coverage(share, *exact_interval(share, len(errors), (1 - confidence) / 2))
