"""The learning curve of the data: the metric over the number of rows, and the power law through it."""

from collections.abc import Mapping, Sequence

from stages.report.charts.axes import LEFT, RIGHT, WIDTH, Frame, Scale, round_ticks, vertical_scale
from stages.report.charts.lines import LineChart, Series


def growth_chart(points: Sequence[Mapping[str, float]], law: Sequence[Mapping[str, float]]) -> LineChart:
    """Lay out the measured points, as they are, and the law beyond them.

    Args:
        points: `rows` and `value` of each.
        law: The same, as far as the law is drawn; at least two.
    """
    rows, values = ([point[key] for point in (*points, *law)] for key in ("rows", "value"))
    x_values, y_values = round_ticks(0, max(rows)), round_ticks(min(values), max(values))
    across = Scale(0, x_values[-1], LEFT + 4, WIDTH - RIGHT - 8)
    up = vertical_scale(y_values[0], y_values[-1])
    series = [
        Series(
            name,
            style,
            [(across(p["rows"]), up(p["value"]), f"{name}, {p['rows']:,} rows: {p['value']:.3f}") for p in line],
            markers,
        )
        for style, (name, line, markers) in enumerate((("measured", points, True), ("power law", law, False)))
    ]
    return LineChart(Frame(across.ticks(x_values), up.ticks(y_values), "rows of train"), series)
