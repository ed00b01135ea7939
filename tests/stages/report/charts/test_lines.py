"""Line charts: points inside the frame."""

import math

from hypothesis import given
from hypothesis import strategies as st

from stages.report.charts.lines import epoch_chart, unit_chart

numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 4))


@given(st.lists(numbers, min_size=1, max_size=9))
def test_lines_stay_in_their_frame(values: list[float]) -> None:
    chart = epoch_chart({"loss": values}, list(range(1, len(values) + 1)))
    for x, y, _ in chart.series[0].points:
        assert chart.frame.left <= x <= chart.frame.right
        assert chart.frame.top - 0.01 <= y <= chart.frame.bottom + 0.01


def test_values_that_are_not_finite_are_left_out() -> None:
    chart = epoch_chart({"loss": [1.0, math.nan, 3.0]}, [1, 2, 3])
    assert [tooltip for *_, tooltip in chart.series[0].points] == ["loss, epoch 1: 1", "loss, epoch 3: 3"]


def test_only_the_perfect_line_has_no_markers() -> None:
    chart = unit_chart({"model": ([0.5], [0.4]), "perfect": ([0, 1], [0, 1])}, x_label="confidence")
    assert [series.markers for series in chart.series] == [True, False]
    assert (
        chart.series[1].path
        == f"M{chart.frame.left + 4} {chart.frame.bottom}L{chart.frame.right - 8} {chart.frame.top}"
    )
