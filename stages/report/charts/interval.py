"""The chart of a metric with its interval, beside the baselines."""

from collections.abc import Mapping
from dataclasses import dataclass

from stages.metrics.summary import MetricValue
from stages.report.charts.axes import WIDTH, Scale, Tick, tick_label


@dataclass(frozen=True)
class IntervalChart:
    ticks: list[Tick]
    value: float
    low: float
    high: float
    baselines: list[tuple[float, int, str]]  # x, style, name


def interval_chart(metric: MetricValue, baselines: Mapping[str, float]) -> IntervalChart:
    """Lay out a metric and the baselines' values on an axis from 0 to 1, or from -1 if one of them is negative."""
    lowest = -1.0 if min(metric.value, metric.low, *baselines.values(), 0.0) < -0.02 else 0.0
    across = Scale(lowest, 1.0, 12, WIDTH - 12)

    def place(value: float) -> float:
        return across(min(1.0, max(lowest, value)))

    steps = [round(lowest + number * (1 - lowest) / 5, 1) for number in range(6)]
    marks = [(place(value), style, name) for style, (name, value) in enumerate(baselines.items(), start=1)]
    return IntervalChart(
        [(across(step), tick_label(step)) for step in steps],
        place(metric.value),
        place(metric.low),
        place(metric.high),
        marks,
    )
