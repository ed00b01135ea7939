"""The geometry of plots: round ticks around the data, marks inside the frame."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.report.charts import geometry

numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 4))


@given(numbers, numbers)
def test_ticks_hold_the_data_and_are_few(one: float, other: float) -> None:
    low, high = sorted((one, other))
    found = geometry.ticks(low, high)
    assert 2 <= len(found) <= 7
    slack = 1e-8 * (high - low)  # less than could be seen
    assert found[0] <= low + slack
    assert found[-1] >= high - slack


@given(st.lists(numbers, min_size=1, max_size=9))
def test_lines_stay_in_their_frame(values: list[float]) -> None:
    plot = geometry.lines({"one": values}, list(range(1, len(values) + 1)), x_label="epoch", y_label="loss")
    for x, y, _ in plot.series[0].points:
        assert plot.frame.left <= x <= plot.frame.right
        assert plot.frame.top - 0.01 <= y <= plot.frame.bottom + 0.01


def test_what_is_no_number_is_left_out() -> None:
    plot = geometry.lines({"loss": [1.0, math.nan, 3.0]}, [1, 2, 3], x_label="epoch", y_label="loss")
    assert len(plot.series[0].points) == 2


def test_a_histogram_counts_every_row_once() -> None:
    lengths = {3: 5, 4: 7, 200: 1}
    plot = geometry.histogram(lengths, x_label="tokens", y_label="rows")
    shown = [int(text.split(": ")[1].split()[0]) for *_, text in plot.bars]
    assert sum(shown) == 13
    assert len(shown) <= 32
    assert plot.bars[0][-1] == "3 to 9 tokens: 12 rows"


def test_negative_bars_hang_from_nought() -> None:
    plot = geometry.bars([1, 2], [0.5, -0.5], width=1, x_label="batch", y_label="MCC", tips=["a", "b"], mark=0.1)
    (_, top, _, height, _), (_, other_top, _, _, _) = plot.bars
    assert top + height == pytest.approx(other_top)


@pytest.mark.parametrize(("value", "first"), [(0.5, "0"), (-0.4, "-1")])
def test_an_interval_below_nought_gets_an_axis_from_minus_one(value: float, first: str) -> None:
    plot = geometry.interval(value, value - 0.1, value + 0.1, others={"other": 0.2})
    assert plot.ticks[0][1] == first
    assert plot.low < plot.value < plot.high
