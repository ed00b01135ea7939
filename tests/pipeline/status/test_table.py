"""The table of what runs where."""

from datetime import datetime, timedelta

import pytest
from rich.console import Console

from pipeline.status.activity import Activity
from pipeline.status.table import status_table

NOW = datetime(2024, 5, 1, 12).astimezone()


def lines(*activities: Activity) -> list[str]:
    console = Console(width=200, no_color=True)
    with console.capture() as text:
        console.print(status_table(activities, NOW))
    return [line.rstrip() for line in text.get().splitlines()]


def test_a_run_is_followed_by_its_stages() -> None:
    begun = NOW - timedelta(minutes=5)
    run = Activity("main at 1a2b3c", None, "running", "cpu-box", begun, NOW + timedelta(minutes=2))
    stage = Activity("finetune@42", "main at 1a2b3c", "running", "gpu-box", begun + timedelta(seconds=20))
    heading, *rows = lines(run, stage)
    assert heading.split("  ")[0] == "run or stage"
    assert [" ".join(row.split()) for row in rows] == [
        "main at 1a2b3c running cpu-box 11:55:00 5 min 0 s 12:02:00 (in 2 min 0 s)",
        "finetune@42 running gpu-box 11:55:20 4 min 40 s ?",
    ]
    assert (rows[0][0], rows[1][:2]) == ("m", "  ")


@pytest.mark.parametrize(
    ("ends", "shown"),
    [
        (None, "?"),
        (timedelta(seconds=30), "12:00:30 (in 30 s)"),
        (timedelta(seconds=-30), "11:59:30 (overdue)"),
        (timedelta(days=1), "2024-05-02 12:00:00 (in 24 h 0 min)"),
    ],
)
def test_the_expected_end(ends: timedelta | None, shown: str) -> None:
    activity = Activity("x", None, "running", "[a]", NOW - timedelta(days=2), None if ends is None else NOW + ends)
    line = lines(activity)[1]
    assert line.endswith(shown)
    assert "[a]" in line, "no markup"
    assert "2024-04-29 12:00:00" in line
