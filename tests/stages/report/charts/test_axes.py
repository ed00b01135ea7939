"""Axes: round ticks around the data."""

from hypothesis import given
from hypothesis import strategies as st

from stages.report.charts.axes import round_ticks, tick_label

numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 4))


@given(numbers, numbers)
def test_ticks_enclose_the_data_and_are_few(first: float, second: float) -> None:
    low, high = sorted((first, second))
    ticks = round_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    slack = 1e-8 * (high - low)  # too small to see
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack


def test_ticks_are_round_numbers() -> None:
    assert round_ticks(0.13, 0.87) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert [tick_label(value) for value in round_ticks(0, 1900)] == ["0", "500", "1,000", "1,500", "2,000"]
