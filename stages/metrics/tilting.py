"""The interval of a mean by test inversion along a tilted family of distributions.

The rows' values, with a little weight on values that were not seen, are one distribution. Weights that grow with
exp(t * value) make of it a family whose mean moves with t. The interval's ends are the two members of the family under
which the observed mean would be just too high or too low to be chance. Nothing is drawn: the chance comes from the
saddlepoint approximation, which is precise far into the tails and for ten rows as for many.

Source:
    Efron, "Nonparametric standard errors and confidence intervals", 1981 (tilting). DiCiccio, Romano, "Nonparametric
    confidence limits by resampling methods and least favorable families", 1990. Lugannani, Rice, "Saddle point
    approximation for the distribution of the sum of independent random variables", 1980; Barndorff-Nielsen, 1986 (r*).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri

from stages.metrics.effective_rows import Sample

Floats = NDArray[np.float64]

EDGE = 1e-9  # of the spread: closer to the largest or smallest value than this is at it
PRECISION = 1e-4  # of the tilt, in standard errors of the mean
FARTHEST = 80  # doublings of the search


@dataclass(frozen=True)
class Tilted:
    """A distribution and the family that exponential tilting makes of it.

    Args:
        values: Of each atom; shape (atoms,).
        weights: Of each atom, above 0, with a sum of 1; shape (atoms,).
    """

    values: Floats
    weights: Floats

    def at(self, tilt: float) -> Floats:
        """Return the weights of a member, which has a sum of 1; an infinite tilt leaves the extreme values alone."""
        if math.isinf(tilt):
            extreme = self.values.max() if tilt > 0 else self.values.min()
            member = self.weights * (self.values == extreme)
        else:
            member = self.weights * np.exp(tilt * self.values - (tilt * self.values).max())
        return np.asarray(member / member.sum())

    def cumulants(self, tilt: float) -> tuple[float, float, float]:
        """Return the cumulant generating function at `tilt`, and the mean and variance of that member."""
        exponents = tilt * self.values
        highest = float(exponents.max())
        member = self.weights * np.exp(exponents - highest)
        total = float(member.sum())
        mean = float(member @ self.values) / total
        return highest + math.log(total), mean, float(member @ (self.values - mean) ** 2) / total


def mean_ends(values: Floats, weights: Floats, observed: float, sample: Sample) -> tuple[Floats, Floats]:
    """Return the weights of the two distributions between which the mean `observed` is no surprise; lower one first.

    Args:
        values: Of each atom; shape (atoms,).
        weights: Of each atom in the distribution that is tilted, with a sum of 1; shape (atoms,).
        observed: Mean of the sample.
        sample: Its effective rows, and the chance that each end leaves out.
    """
    mean = float(weights @ values)
    spread = math.sqrt(float(weights @ (values - mean) ** 2))
    if spread <= EDGE * max(1.0, float(np.abs(values).max())):
        return weights, weights
    family = Tilted((values - mean) / spread, weights)
    target = (observed - mean) / spread
    surprise, centre = _signed_root(family, target, sample.rows)
    reach = float(-ndtri(sample.tail))
    low, high = (_solve(surprise, side * reach, centre, -side / math.sqrt(sample.rows)) for side in (1, -1))
    return family.at(low), family.at(high)


def _signed_root(family: Tilted, target: float, rows: float) -> tuple[Callable[[float], float], float]:
    """How surprisingly high `target` is as the mean of `rows` rows of a member, in standard deviations, as a function
    of the tilt; and a tilt under which it is about 0."""
    top, bottom = float(family.values.max()), float(family.values.min())
    for extreme, sign in ((top, 1.0), (bottom, -1.0)):
        if sign * (target - extreme) >= -EDGE:  # all rows have the extreme value: half of that chance lies beyond
            share = float(family.weights[family.values == extreme].sum())

            def at_edge(tilt: float, extreme: float = extreme, sign: float = sign, share: float = share) -> float:
                chance = rows * (math.log(share) + tilt * extreme - family.cumulants(tilt)[0]) + math.log(0.5)
                return -sign * float(ndtri(math.exp(max(chance, -700.0))))

            start = sign / math.sqrt(rows)
            while abs(at_edge(start)) > 0.5:
                start *= 2
            return at_edge, start
    peak = _tilt_of_mean(family, target)
    generated, _, variance = family.cumulants(peak)

    def inside(tilt: float) -> float:
        distance = peak - tilt
        deviance = 2 * rows * (distance * target - generated + family.cumulants(tilt)[0])
        root = math.copysign(math.sqrt(max(deviance, 0.0)), distance)
        score = distance * math.sqrt(rows * variance)
        if abs(root) < 1e-3 or score / root <= 0:
            return root
        return root + math.log(score / root) / root

    return inside, peak


def _tilt_of_mean(family: Tilted, target: float) -> float:
    def gap(tilt: float) -> float:
        return family.cumulants(tilt)[1] - target

    start = gap(0.0)
    if start == 0:
        return 0.0
    step = -start
    for _ in range(FARTHEST):
        if (gap(step) > 0) != (start > 0):
            break
        step *= 2
    return float(brentq(gap, 0.0, step, xtol=1e-12 * max(1.0, abs(step))))


def _solve(surprise: Callable[[float], float], level: float, start: float, step: float) -> float:
    """The tilt, in the direction of `step`, at which the surprise reaches `level`; infinite where it never does."""
    inner, outer = start, start + step
    for _ in range(FARTHEST):
        if (surprise(outer) - level) * level >= 0:
            return float(brentq(lambda tilt: surprise(tilt) - level, inner, outer, xtol=PRECISION * abs(step)))
        inner, outer = outer, outer + (outer - start)
        if (surprise(outer) - surprise(inner)) * level <= 0 and abs(outer - start) > 1e6 * abs(step):
            break
    return math.copysign(math.inf, step)
