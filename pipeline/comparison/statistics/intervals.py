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
    base: MetricSummary, head: MetricSummary, *, confidence: float, more_variance: float = 0.0
) -> UnpairedDifference | None:
    """Return the difference of two metrics; None where one has no interval.

    Args:
        base: Base's metric.
        head: Head's metric.
        confidence: Of the two intervals (0 to 1).
        more_variance: Of the difference, which the intervals do not contain.
    """
    if base.low is None or base.high is None or head.low is None or head.high is None:
        return None
    reach = NORMAL.inv_cdf((1 + confidence) / 2)
    widths = base.high - base.low, head.high - head.low
    error = math.hypot(*(width / 2 / reach for width in widths), more_variance**0.5)
    return UnpairedDifference(head.mean - base.mean, error)
