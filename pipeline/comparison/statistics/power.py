"""What a comparison could have detected, and what it would need to detect more."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.optimize import brentq

from pipeline.comparison.statistics.differences import Difference

POWER = 0.8  # chance of detecting the smallest detectable difference
LARGEST = 1_000_000  # rows that are named as needed
TIES = 1e-9  # changes that differ by less are equal
NORMAL = NormalDist()


@dataclass(frozen=True)
class Needs:
    """What would detect a difference as large as the observed one; None where no number of these alone would.

    Attributes:
        rows: Test rows.
        seeds: Seeds per side.
    """

    rows: int | None
    seeds: int | None


def min_detectable(difference: Difference, *, level: float) -> float | None:
    """Return the smallest true difference that such a comparison would detect 8 times out of 10.

    For each possible truth the rows are taken to change as this truth makes likely, and the test is the one that gives
    the verdict, so that it also holds where few rows change.

    Args:
        difference: Its changes and seeds are taken as those of any comparison of this kind.
        level: Of the test (0 to 1).

    Returns:
        In the metric's unit, above 0; None where no difference within the metric's range would be detected.
    """
    none = difference.at(0.0)
    sizes = np.abs(none.changes)
    limit = 0.999 * float(none.changes.max())  # of a gain: losses may be larger
    step = float(sizes[sizes > TIES].min()) / none.units

    def exceeds(true: float) -> float:
        """How far the outcome that 8 of 10 draws exceed is above the least significant one: by its p-value."""
        low = true - NORMAL.inv_cdf(POWER) * none.at(true).error - step  # rows change one at a time
        return level - (none.at(low).p_value() if low > 0 else 1.0)

    return float(brentq(exceeds, 0.0, limit, xtol=1e-5)) if exceeds(limit) > 0 else None


def needed(difference: Difference, *, rows: int, seeds: tuple[int, int], level: float) -> Needs:
    """Return what would detect a true difference as large as this one 8 times out of 10, about.

    Args:
        difference: Between rows and seeds of which there are so many.
        rows: Number of rows.
        seeds: Number of seeds of each side.
        level: Of the test (0 to 1).
    """
    goal = (difference.value / (NORMAL.inv_cdf(1 - level / 2) + NORMAL.inv_cdf(POWER))) ** 2
    of_rows, chance = difference.rows_variance, difference.seeds
    left = goal - chance.variance
    more_rows = round(rows * of_rows / left) if left > 0 and rows * of_rows / left < LARGEST else None
    if not chance.degrees:
        return Needs(more_rows, None)
    of_one_seed = max(chance.spread, chance.interaction) / sum(1 / count for count in seeds)
    left = goal - max(0.0, of_rows - chance.interaction)
    more_seeds = -int(-2 * of_one_seed // left) if left > 0 and 2 * of_one_seed / left < 1000 else None
    return Needs(more_rows, more_seeds)
