"""Variance between the models of several seeds, apart from the chance in which rows they were measured on."""

from collections.abc import Sequence

import numpy as np


def seed_variance(values: Sequence[float], *, of_seed: float, of_mean: float) -> float:
    """Return the variance of a metric that comes from the seeds (>= 0).

    The spread of the seeds' values contains more than that: each seed gets other rows right, so on other rows the
    values would spread otherwise, even if all seeds were equally good. This part, the interaction, is the share of a
    seed's variance over the rows that is gone from the variance of the seeds' mean. It is subtracted.

    Args:
        values: The metric of each seed, on the same rows; two or more.
        of_seed: Variance of one seed's value over the rows, as the mean over the seeds.
        of_mean: Variance of the seeds' mean over the rows.

    Source:
        Owen, "The pigeonhole bootstrap", 2007 (crossed chance).
    """
    seeds = len(values)
    interaction = max(0.0, of_seed - of_mean) * seeds / (seeds - 1)
    return max(0.0, float(np.var(values, ddof=1)) - interaction)
