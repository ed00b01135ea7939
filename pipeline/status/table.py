"""Shows what runs where as a table."""

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from pipeline.planning.table import format_duration
from pipeline.status.activity import Activity


def status_table(activities: Sequence[Activity], now: datetime) -> Table:
    """A table with a row per run and stage; times are local, with a date where it is not today's."""
    table = Table(box=None, pad_edge=False)
    for heading in ("run or stage", "state", "where", "since", "elapsed", "expected end"):
        table.add_column(heading, no_wrap=True, justify="right" if heading == "elapsed" else "left")
    for activity in activities:
        name = Text(f"  {activity.name}" if activity.run else activity.name)
        elapsed = format_duration(max(0.0, (now - activity.since).total_seconds()))
        since, ends = _clock(activity.since, now), _end(activity.ends, now)
        table.add_row(name, activity.state, Text(activity.where), since, elapsed, ends)
    return table


def _end(ends: datetime | None, now: datetime) -> str:
    if ends is None:
        return "?"
    late = (now - ends).total_seconds()
    return f"{_clock(ends, now)} (overdue)" if late > 1 else f"{_clock(ends, now)} (in {format_duration(-late)})"


def _clock(time: datetime, now: datetime) -> str:
    local, today = time.astimezone(), now.astimezone().date()
    return local.strftime("%H:%M:%S" if local.date() == today else "%Y-%m-%d %H:%M:%S")
