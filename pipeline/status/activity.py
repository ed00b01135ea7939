"""Something that runs or waits, as `retune status` shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any


@dataclass(frozen=True)
class Activity:
    """A run of the pipeline, or a stage of one.

    Attributes:
        name: Of the run, or of the stage.
        run: The run that a stage belongs to; None: it is a run itself.
        state: `running`, or why it does not run yet.
        where: The machine, with the project's folder if it is fixed; before it starts, the work pool.
        since: When it started; before that, when it was due.
        ends: When it will have ended if every stage takes as long as before; None: unknown.
        address: Its page in Prefect's UI; None for what Prefect does not know.
    """

    name: str
    run: str | None
    state: str
    where: str
    since: datetime
    ends: datetime | None = None
    address: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The entry in `retune status --json`; times are ISO 8601 in UTC."""
        times = {"since": self.since, "ends": self.ends}
        shown = {name: time and time.astimezone(UTC).isoformat(timespec="seconds") for name, time in times.items()}
        return {
            "name": self.name,
            "run": self.run,
            "state": self.state,
            "where": self.where,
            **shown,
            "address": self.address,
        }


def expected_end(started: datetime, seconds: float | None) -> datetime | None:
    """When something ends that takes so many seconds; None where nobody knows."""
    return None if seconds is None else started + timedelta(seconds=seconds)


def longest_path(
    after: Mapping[str, Sequence[str]], left: Mapping[str, float | None], now: datetime
) -> datetime | None:
    """When the last stage ends, if each starts as soon as those that it reads have ended.

    Args:
        after: The stages that each stage reads, in an order that puts these first.
        left: Seconds that each stage still needs; stages that are done need none and may be missing; None: unknown.
        now: The time now.

    Returns:
        The expected end; None if a stage that still has to run never ran before.
    """
    ends: dict[str, float] = {}
    for stage, earlier in after.items():
        needed = left.get(stage, 0.0)
        if needed is None:
            return None
        begins = max((ends.get(name, 0.0) for name in earlier), default=0.0)
        ends[stage] = begins + needed if needed else begins
    return now + timedelta(seconds=max(ends.values(), default=0.0))


def without_doubles(here: Sequence[Activity], elsewhere: Sequence[Activity]) -> list[Activity]:
    """All of them; what runs in this folder and also reports to Prefect is shown once, as this machine sees it."""
    own = {activity.where for activity in here}
    return [*here, *(activity for activity in elsewhere if activity.where not in own)]
