"""Small plots made of characters: intervals on a line, and bars."""

from collections.abc import Sequence

from pipeline.comparison.metric_row import MetricRow

STRIP = 21  # characters of an interval's plot
BAR = 12  # characters of the longest bar


def interval_strips(rows: Sequence[MetricRow]) -> list[str]:
    """Draw each metric's interval around 0, which is in the middle, all on one scale."""
    ends = [abs(end) for row in rows for end in (row.low, row.high) if end is not None]
    reach = max(ends, default=0.0) or 1.0
    return [strip(row.low, row.difference, row.high, low=-reach, high=reach, mark=0.0) for row in rows]


def strip(
    start: float | None, middle: float, end: float | None, *, low: float, high: float, mark: float | None = None
) -> str:
    """Draw an interval on a line from `low` to `high`: `····├──●──┤···│····`."""

    def column(value: float) -> int:
        return min(STRIP - 1, max(0, round((value - low) / ((high - low) or 1.0) * (STRIP - 1))))

    line = ["·"] * STRIP
    if mark is not None:
        line[column(mark)] = "│"
    if start is not None and end is not None:
        for position in range(column(start), column(end) + 1):
            line[position] = "─"
        line[column(start)], line[column(end)] = "├", "┤"
    line[column(middle)] = "●"
    return "".join(line)


def bar(value: float, longest: float) -> str:
    """Draw a bar; the longest one has the value `longest`."""
    return "█" * max(1 if value else 0, round(value / longest * BAR)) if longest else ""
