"""What a number of resamples can show at most: the smallest p-value, and the resamples that a verdict needs."""

import math


def two_sided_p_value(tail: int, resamples: int) -> float:
    """Return the p-value of a difference that `tail` of the resamples contradict; never 0, because it counts as one."""
    return min(1.0, 2 * (tail + 1) / (resamples + 1))


def least_resamples(confidence: float, tests: int) -> int:
    """Return how many resamples a verdict needs: with fewer, no difference whatever is more than chance.

    Args:
        confidence: Of the verdict (0 to 1).
        tests: Number of tests that Holm's correction counts (>= 1); the first p-value is multiplied by it.
    """
    least = max(1, math.floor(2 * tests / (1 - confidence)) - 1)
    return least if tests * two_sided_p_value(0, least) <= 1 - confidence else least + 1
