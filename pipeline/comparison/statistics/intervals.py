"""The difference of two metrics of which only the intervals are known, as if they were of different rows."""

import math
from dataclasses import dataclass
from statistics import NormalDist

from stages.metrics.summary import MetricSummary

NORMAL = NormalDist()


@dataclass(frozen=True)
class UnpairedDifference:
    """Head minus base, and its standard error."""

    value: float
    error: float

    @property
    def p_value(self) -> float:
        """Two-sided, of the hypothesis that there is no difference."""
        return 2 * NORMAL.cdf(-abs(self.value) / self.error) if self.error > 0 else float(self.value == 0)

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the interval; `confidence` from 0 to 1."""
        reach = NORMAL.inv_cdf((1 + confidence) / 2) * self.error
        return self.value - reach, self.value + reach


def subtract_intervals(
    base: MetricSummary,
    head: MetricSummary,
    *,
    confidence: float,
    base_confidence: float | None = None,
    more_variance: float = 0.0,
) -> UnpairedDifference | None:
    """Return the difference of two metrics; None where one has no interval.

    Args:
        base: Base's metric.
        head: Head's metric.
        confidence: Of the two intervals (0 to 1).
        base_confidence: Of base's interval; None: `confidence`.
        more_variance: Of the difference, which the intervals do not contain.
    """
    if base.low is None or base.high is None or head.low is None or head.high is None:
        return None
    sides = (base.high - base.low, base_confidence or confidence), (head.high - head.low, confidence)
    errors = (width / 2 / NORMAL.inv_cdf((1 + level) / 2) for width, level in sides)
    error = math.hypot(*errors, more_variance**0.5)
    return UnpairedDifference(head.mean - base.mean, error)
