"""The difference of two sides on the same rows: its value, and which true differences the data leave possible.

Chance has two sources. *Rows*: other test rows would have given other numbers. *Seeds*: other training runs would have
given other numbers. A metric comes as one value per row whose mean is the metric, so the difference is a mean too.

Whether a true difference is possible is asked of the distribution of row changes that has this difference and is
nearest to the observed one: every change is reweighted by the exponential of itself times a constant. The variance of
the reweighted changes tells how far the observed mean may be from the true one by chance. For rows that are either
right or wrong this is the score test of Tango, at a difference of 0 McNemar's. Changes that no row happened to show
count as half a row in each direction, so no interval has zero width where the two sides differ at all.

Interval and p-value are one statement: a true difference is outside the interval where its p-value is below the level.

Source:
    Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample design",
    1998. Efron, "Nonparametric standard errors and confidence intervals", 1981 (tilting). Zou, Donner, "Construction of
    confidence limits about effect measures", 2008 (adding a second variance to each end). Owen, "The pigeonhole
    bootstrap", 2007 (crossed chance). Satterthwaite, 1946 (degrees of freedom).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import fdtri, stdtr, stdtrit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SMALLEST_TAIL = 1e-150  # of a distribution; the square of a smaller one's quantile is too large for a float
COMPATIBLE = 0.95  # probability below which a ratio of two spreads is put down to chance
NEAREST = 1e-9  # to the limit at which all weight is on the largest change


@dataclass(frozen=True)
class Seeds:
    """Chance of training runs in a difference.

    Attributes:
        spread: Variance of the difference as the spread of the seeds' values has it.
        interaction: The part of it that the variance from rows has too, because each seed gets other rows right.
        degrees: Of freedom of the spread; 0 where it is unknown, because no side has two seeds.
    """

    spread: float = 0.0
    interaction: float = 0.0
    degrees: int = 0

    def pool(self, spread: float, degrees: int) -> "Seeds":
        """Return the chance with the spread of earlier seeds, unless this spread is larger by more than chance."""
        if self.degrees and self.spread > spread * fdtri(self.degrees, degrees, COMPATIBLE):
            return self
        total = self.degrees + degrees
        return replace(self, spread=(self.spread * self.degrees + spread * degrees) / total, degrees=total)

    @property
    def variance(self) -> float:
        """What training runs add to the variance from rows."""
        return max(0.0, self.spread - self.interaction)

    def reach(self, rows_quantile: float, tail: float) -> float:
        """What training runs add to the square of an interval's half width.

        Rows and seeds have a quantile each, because the spread of few seeds is uncertain; what is counted in both
        is taken off with the quantile of rows.
        """
        if not self.degrees:
            return 0.0
        quantile = float(stdtrit(self.degrees, max(tail, SMALLEST_TAIL)))
        spread = self.spread * (1 + self.degrees**-2)  # metrics of seeds are not normal, which shows with two per side
        return max(0.0, quantile**2 * spread - rows_quantile**2 * self.interaction)


@dataclass(frozen=True)
class Difference:
    """A metric of base and of head, and the chance in their difference.

    Attributes:
        base: Mean over base's seeds.
        head: Mean over head's seeds.
        changes: Changes of units (head minus base), each around the mean change; those not seen come last.
        weights: Units with that change; together more than `units` by those not seen.
        units: Number of units: of rows, or of groups of rows that belong together.
        seeds: Chance of training runs.
    """

    base: float
    head: float
    changes: Floats
    weights: Floats
    units: int
    seeds: Seeds

    @property
    def value(self) -> float:
        return self.head - self.base

    @property
    def rows_variance(self) -> float:
        """Variance of the difference when other units are drawn."""
        return self._neutral.variance

    @property
    def error(self) -> float:
        """Standard error."""
        return float((self.rows_variance + self.seeds.variance) ** 0.5)

    @property
    def seeds_share(self) -> float | None:
        """Share of the variance that comes from seeds (0 to 1); None where that is unknown."""
        return self.seeds.variance / self.error**2 if self.seeds.degrees else None

    def p_value(self, true: float = 0.0) -> float:
        """Return the two-sided p-value of a true difference."""
        shift = true - self.value
        if shift == 0:
            return 1.0
        end = self._solve(np.sign(shift), lambda changes: self._reach(changes) - abs(shift))
        return min(1.0, 2 * self._tail(end.deviation))

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the ends of the true differences whose p-value is at least 1 - confidence (0 to 1)."""
        quantile = float(stdtrit(self._degrees, (1 + confidence) / 2))
        low, high = (self._solve(sign, lambda changes: changes.deviation - quantile) for sign in (-1.0, 1.0))
        return self.value - self._reach(low), self.value + self._reach(high)

    def at(self, true: float) -> "Difference":
        """Return what is expected to be observed if the true difference is `true`."""
        shift = true - self.value
        sign = float(np.sign(shift)) or 1.0
        expected = self._solve(sign, lambda changes: sign * (changes.mean - shift))
        return replace(
            self,
            base=0.0,
            head=self.value + expected.mean,
            changes=self.changes - expected.mean,
            weights=expected.weights * self.weights.sum(),
        )

    def _reach(self, changes: "_Reweighted") -> float:
        """Distance of the end of the interval that this reweighting gives, with the chance of seeds added."""
        seeds = self.seeds.reach(changes.deviation, self._tail(changes.deviation))
        return float((changes.mean**2 + seeds) ** 0.5)

    def _tail(self, deviation: float) -> float:
        return float(stdtr(self._degrees, -deviation))

    @property
    def _degrees(self) -> float:
        return float(max(1, self.units - 1))

    @cached_property
    def _neutral(self) -> "_Reweighted":
        """The distribution whose mean is the observed one; not quite the observed one, for the changes not seen."""
        sign = -float(np.sign(self.weights @ self.changes))
        return self._solve(sign, lambda changes: sign * changes.mean, start=0.0) if sign else _Reweighted(self, 0.0)

    def _solve(
        self, sign: float, excess: "Callable[[_Reweighted], float]", *, start: float | None = None
    ) -> "_Reweighted":
        """The distribution, on the way to losses (sign -1) or gains (1), at which `excess` rises to 0."""
        limit = 1 / float((sign * self.changes).max())  # here all weight is on the largest change
        begin = self._neutral.constant if start is None else start
        ends = begin, sign * limit * (1 - NEAREST)

        def at(constant: float) -> float:
            return excess(_Reweighted(self, constant))

        reached = [end for end, value in zip(ends, map(at, ends), strict=True) if (value >= 0) == (end == begin)]
        constant = reached[0] if reached else float(brentq(at, *ends, xtol=1e-15, rtol=1e-13))
        return _Reweighted(self, constant)


class _Reweighted:
    """The changes of a difference, weighted as likely as the observed changes make it for some true difference.

    Of all weights with the same mean, those divided by (1 - constant * change) make the observed changes most likely.
    """

    def __init__(self, difference: Difference, constant: float) -> None:
        self.constant = constant
        weights = difference.weights / (1 - constant * difference.changes)
        self.weights = weights / weights.sum()
        self.mean = float(self.weights @ difference.changes)
        self.variance = float(self.weights @ (difference.changes - self.mean) ** 2) / max(1, difference.units - 1)

    @property
    def deviation(self) -> float:
        """How many standard errors of rows the observed mean, 0, is from this one."""
        return float(abs(self.mean) / self.variance**0.5)


def compare_values(
    base: Floats, head: Floats, unseen: tuple[Floats, Floats], *, units: Ints | None = None
) -> Difference:
    """Compare a metric that comes as one value per row.

    Args:
        base: Values for each of base's seeds; shape (seeds, rows).
        head: The same for head's seeds, which may be more or fewer.
        unseen: Sizes of changes that a row could make, in both directions, and how many rows each counts as in each
            direction; shape (changes,) each.
        units: Number of the unit that each row belongs to, from 0; None: each row is a unit.
    """
    sides = [_unit_values(side, units) for side in (base, head)]
    count, rows = sides[0].shape[1], base.shape[1]
    means = [float(side.mean()) for side in sides]
    change = sides[1].mean(0) - sides[0].mean(0)
    value = float(change.mean())
    seen, weights = np.unique(np.round(change - value, 14), return_counts=True)
    sizes = unseen[0] * (rows / count) ** -0.5  # of one row of a unit, and what it may share with others in the unit
    unseen_weights = unseen[1] * count / rows  # in units
    room = [np.maximum(sizes - sign * value, sizes / count) for sign in (-1, 1)]  # left for a loss, and for a gain
    return Difference(
        base=means[0],
        head=means[1],
        changes=np.concatenate([seen, -room[0], room[1]]),
        weights=np.concatenate([weights, unseen_weights, unseen_weights]),
        units=count,
        seeds=_seed_chance(sides),
    )


def _unit_values(values: Floats, units: Ints | None) -> Floats:
    """Values of units whose mean is that of the rows: a unit's sum of deviations, per average unit size."""
    if units is None:
        return values
    means = values.mean(1, keepdims=True)
    sums = np.stack([np.bincount(units, weights=row) for row in values - means])
    return np.asarray(means + sums * (sums.shape[1] / values.shape[1]))


def _seed_chance(sides: list[Floats]) -> Seeds:
    """The spread of the seeds' values contains a part that the rows' variance contains as well, because each seed gets
    other rows right. That part, the interaction, is counted once."""
    degrees = sum(len(side) - 1 for side in sides)
    if not degrees:
        return Seeds()
    scale = sum(1 / len(side) for side in sides)
    values = [side.mean(1) for side in sides]
    spread = sum(float(((side - side.mean()) ** 2).sum()) for side in values) / degrees
    units = sides[0].shape[1]
    interaction = [float(side.var(1).mean() - side.mean(0).var()) / max(1, units - 1) * len(side) for side in sides]
    return Seeds(spread * scale, max(0.0, sum(interaction)) / degrees * scale, degrees)
