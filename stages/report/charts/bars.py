"""Bar charts: a row of bars, and the histogram of whole numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.messages import counted
from stages.report.charts.axes import LEFT, RIGHT, WIDTH, Frame, Scale, round_ticks, vertical_scale

HISTOGRAM_BARS = 32  # at most


@dataclass(frozen=True)
class Bar:
    """A bar in data units."""

    start: float  # its left edge on the x axis
    value: float
    tooltip: str


@dataclass(frozen=True)
class BarChart:
    frame: Frame
    bars: list[tuple[float, float, float, float, str]]  # x, y, width, height, tooltip
    line: float | None  # y of a horizontal line across the bars


def bar_chart(bars: Sequence[Bar], *, width: float, x_label: str, line: float | None = None) -> BarChart:
    """Lay out bars of equal width.

    Args:
        bars: In data units.
        width: Of each bar, in data units.
        x_label: Of the x axis.
        line: Value of a horizontal line across the bars.
    """
    starts, values = [bar.start for bar in bars], [bar.value for bar in bars]
    y_values = round_ticks(min(0.0, *values), max(0.0, *values, line or 0.0))
    x_values = round_ticks(min(starts), max(starts) + width)
    across = Scale(min(starts), max(starts) + width, LEFT, WIDTH - RIGHT)
    up = vertical_scale(y_values[0], y_values[-1])
    rectangles = []
    for bar in bars:
        left, right = across(bar.start), across(bar.start + width)
        top, bottom = min(up(bar.value), up(0)), max(up(bar.value), up(0))
        gap = min(1.0, (right - left) / 5)
        rectangles.append((left + gap / 2, top, round(right - left - gap, 2), round(bottom - top, 2), bar.tooltip))
    x_ticks = across.ticks([value for value in x_values if across.low <= value <= across.high])
    frame = Frame(x_ticks, up.ticks(y_values), x_label)
    return BarChart(frame, rectangles, None if line is None else up(line))


def histogram(rows: Mapping[int, int], *, x_label: str) -> BarChart:
    """Lay out a histogram of whole numbers; `rows` maps each number to its rows."""
    smallest, largest = min(rows), max(rows)
    width = max(1, math.ceil((largest - smallest + 1) / HISTOGRAM_BARS))
    bars = []
    for start in range(smallest, largest + 1, width):
        count = sum(rows.get(number, 0) for number in range(start, start + width))
        numbers = f"{start}" if width == 1 else f"{start} to {start + width - 1}"
        bars.append(Bar(start, count, f"{numbers} {x_label}: {counted(count, 'row')}"))
    return bar_chart(bars, width=width, x_label=x_label)
