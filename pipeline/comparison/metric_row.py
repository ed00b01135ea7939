"""A metric of both sides, and the verdict on its difference."""

from dataclasses import dataclass, replace
from typing import Literal

from pipeline.comparison.statistics.power import Needs
from stages.metrics.names import lower_is_better

Verdict = Literal["better", "worse", "differ", "within noise", "not tested", "identical"]
OverallVerdict = Literal["better", "worse", "mixed", "differ", "within noise", "identical", "unknown"]


@dataclass(frozen=True)
class MetricRow:
    """A metric of both sides.

    Attributes:
        name: Such as `test.macro_f1`.
        base: The metric of base.
        head: The metric of head.
        low: Lower end of the interval of `head - base`; None where it is unknown.
        high: Its upper end.
        p_value: Of the hypothesis that there is no difference.
        verdict: None for a metric outside the headline.
        min_detectable: The smallest difference that this comparison would detect 8 times out of 10; None where no gain
            that base leaves possible is so large.
        paired: Whether the same rows were compared, or only two intervals.
        seeds_share: Share of the variance that comes from seeds (0 to 1); None where it is unknown.
        largest_drop: The largest loss of quality that the gate's confidence leaves possible; None where it is unknown.
        needs: What would detect a difference as large as the observed one.
        biased: Whether these rows make the metric too high, and a weaker model's more: then no bound of a drop holds.
    """

    name: str
    base: float
    head: float
    low: float | None
    high: float | None
    p_value: float | None = None
    verdict: Verdict | None = None
    min_detectable: float | None = None
    paired: bool = True
    seeds_share: float | None = None
    largest_drop: float | None = None
    needs: Needs | None = None
    biased: bool = False

    def without_verdict(self) -> "MetricRow":
        """Return the same numbers as a metric outside the headline."""
        return replace(self, verdict=None, p_value=None, min_detectable=None, needs=None)

    def in_unit(self, unit: float) -> "MetricRow":
        """Return the row of a metric that was compared in another unit."""
        if unit == 1:
            return self
        names = ("base", "head", "low", "high", "largest_drop", "min_detectable")
        values = {name: getattr(self, name) for name in names}
        return replace(self, **{name: value * unit for name, value in values.items() if value is not None})

    @property
    def difference(self) -> float:
        return self.head - self.base

    @property
    def gained(self) -> bool:
        """Whether head is the better one."""
        return (self.difference > 0) != lower_is_better(self.name)
