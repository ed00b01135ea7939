"""The curve of the data starts at no rows, and both its lines fit into the frame."""

from stages.report.charts.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from stages.report.charts.growth import growth_chart


def test_both_lines_are_within_the_frame() -> None:
    points = [{"rows": rows, "value": 0.9 - rows**-0.5} for rows in (50, 100, 800)]
    law = [{"rows": rows, "value": 0.91 - rows**-0.5} for rows in (50, 800, 2_800)]
    chart = growth_chart(points, law)
    measured, line = chart.series
    assert (measured.markers, line.markers) == (True, False)
    assert measured.points[0][2] == "measured, 50 rows: 0.759"
    assert line.points[-1][2] == "power law, 2,800 rows: 0.891"
    for x, y, _ in measured.points + line.points:
        assert LEFT < x <= WIDTH - RIGHT
        assert TOP <= y <= HEIGHT - BOTTOM
    assert [x for x, _, _ in line.points] == sorted(x for x, _, _ in line.points)
    assert chart.frame.x_ticks[0][1] == "0"
