"""How many independent rows a sample is worth, and how far out the ends of its intervals lie.

Rows of one group (an author, a thread, texts that are nearly equal) err together. The variance of a metric's influence
values, summed by group, over their variance as single rows is the design effect; the rows divided by it are the
effective rows. The groups are also the degrees of freedom: few of them know their own spread badly.

Source:
    Korn, Graubard, "Confidence intervals for proportions with small expected number of positive counts estimated from
    survey data", Survey Methodology 1998 (effective rows and Student's t; here for any metric).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SMALLEST_TAIL = 1e-12  # so that one group alone, which knows nothing of its spread, still gives numbers


@dataclass(frozen=True)
class Sample:
    """What the rows are worth.

    Attributes:
        rows: Effective rows (> 0, at most the rows that there are).
        tail: Chance (0 to 0.5) that each end leaves out: half of the rest to the confidence, and less where the
            spread is known from few units.
    """

    rows: float
    tail: float


def weigh_sample(influence: Floats, groups: Ints | None, *, confidence: float) -> Sample:
    """Return what the rows are worth for a metric.

    Args:
        influence: The metric's influence value of each row; shape (rows,).
        groups: Equal for rows of one group; shape (rows,). None: each row is its own.
        confidence: Of the interval (0 to 1).
    """
    rows = len(influence)
    units, effect = rows, 1.0
    if groups is not None:
        numbers = np.unique(groups, return_inverse=True)[1]
        units = int(numbers.max()) + 1
        deviations = influence - influence.mean()
        of_rows = float(deviations @ deviations)
        if units < rows and of_rows > 0:
            sums = np.bincount(numbers, weights=deviations)
            effect = float(sums @ sums) / of_rows * units / max(1, units - 1)
    freedom = max(1, units - 1)
    reach = float(stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(1 + 1 / freedom)
    return Sample(rows / max(1.0, effect), max(SMALLEST_TAIL, float(ndtr(-reach))))
