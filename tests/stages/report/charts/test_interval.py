"""The interval chart: an axis that holds the metric and its interval."""

import pytest

from stages.metrics.summary import MetricValue
from stages.report.charts.interval import interval_chart


@pytest.mark.parametrize(("value", "first"), [(0.5, "0"), (-0.4, "-1")])
def test_a_negative_value_gets_an_axis_from_minus_one(value: float, first: str) -> None:
    chart = interval_chart(MetricValue(value, value - 0.1, value + 0.1), {"majority": 0.2})
    assert chart.ticks[0][1] == first
    assert chart.low < chart.value < chart.high
