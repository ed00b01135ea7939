"""Power laws of a metric over the number of labelled rows: fitted to learning curves, and read beyond their end.

Source:
    Hestness et al., "Deep Learning Scaling is Predictable, Empirically", 2017; Viering and Loog, "The Shape of Learning
    Curves: a Review", 2021: a metric of n rows is a - b * n^-c, where a is its limit.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EXPONENTS = np.geomspace(0.05, 2.0, 60)  # c; below, a law rises like a logarithm


@dataclass(frozen=True)
class PowerLaws:
    """Laws a - b * n^-c, with b >= 0: more rows never harm.

    Args:
        limit: a; shape (laws,).
        scale: b; shape (laws,).
        exponent: c; shape (laws,).
    """

    limit: Floats
    scale: Floats
    exponent: Floats

    def at(self, rows: float) -> Floats:
        """Return the metric with this many rows (> 0) by each law; shape (laws,)."""
        return np.asarray(self.limit - self.scale * rows**-self.exponent)


def fit_power_laws(sizes: NDArray[np.int64], curves: Floats, *, best: float) -> PowerLaws:
    """Fit a law to each learning curve by least squares, where a size weighs as much as it has rows.

    Small sizes weigh less, because their metric varies more, and because the law holds in the end alone. For each of
    `EXPONENTS` the solution is exact, so no start value matters.

    Args:
        sizes: Rows of each point, two or more different numbers (>= 1); shape (sizes,).
        curves: The metric, higher is better; shape (laws, sizes).
        best: The metric's highest value, which no limit exceeds; may be infinite.
    """
    weights = sizes / sizes.sum()
    mean = curves @ weights  # (laws,)
    fits = []
    for exponent in EXPONENTS:
        falling = sizes.astype(np.float64) ** -exponent
        centred = falling - falling @ weights
        scale = np.maximum(0.0, -(curves @ (weights * centred)) / (weights @ centred**2))
        limit = mean + scale * (falling @ weights)
        at_best = np.maximum(0.0, (best - curves) @ (weights * falling)) / (weights @ falling**2)
        scale = np.where(limit > best, at_best, scale)
        limit = np.minimum(limit, best)
        error = (curves - limit[:, None] + scale[:, None] * falling) ** 2 @ weights
        fits.append((error, limit, scale))
    error, limit, scale = (np.stack(column) for column in zip(*fits, strict=True))  # (exponents, laws)
    chosen = error.argmin(axis=0), np.arange(curves.shape[0])
    return PowerLaws(limit[chosen], scale[chosen], EXPONENTS[chosen[0]])
