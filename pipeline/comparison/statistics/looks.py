"""The level of the next verdict on test rows that were compared before.

Every comparison on the same rows is one more chance to take luck for progress. The levels keep the expected share of
false verdicts among all that say `better` or `worse` at or below the chosen rate, however many comparisons follow, and
each verdict that finds a difference gives some of the level back, so that long series keep power.

Source:
    Javanmard, Montanari, "Online rules for control of false discovery rate", 2018 (LORD). Ramdas, Yang, Wainwright,
    Jordan, "Online control of the false discovery rate with decaying memory", 2017 (LORD++).
"""

from collections.abc import Sequence
from statistics import NormalDist

from scipy.special import zeta

from pipeline.comparison.statistics.power import POWER

DECAY = 1.6  # of the levels: the k-th comparison after a discovery has 1 / k**1.6 of what the first has
NORMAL = NormalDist()


def next_level(p_values: Sequence[float], *, rate: float) -> float:
    """Return the level of the next test.

    Args:
        p_values: Of the comparisons before it on the same rows, oldest first.
        rate: Largest expected share of false verdicts (0 to 1).
    """
    discoveries: list[int] = []
    for number in range(len(p_values) + 1):
        level = rate * (_share(number + 1) + sum(_share(number - discovery) for discovery in discoveries[1:]))
        if number < len(p_values) and p_values[number] <= level:
            discoveries.append(number)
    return level


def fresh_rows(rows: int, level: float, *, rate: float) -> int:
    """Return how many rows that were never compared would detect as much as `rows` at this level do."""
    fresh, worn = (NORMAL.inv_cdf(1 - tail / 2) + NORMAL.inv_cdf(POWER) for tail in (next_level([], rate=rate), level))
    return round(rows * min(1.0, (fresh / worn) ** 2))


def _share(after: int) -> float:
    return float(after**-DECAY / zeta(DECAY))
