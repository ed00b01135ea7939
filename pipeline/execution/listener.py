"""The listener to a run: is told what happens, and does nothing by default."""

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from pipeline.execution.stage_process import Outcome
from pipeline.planning.plan import StagePlan


class Listener:
    """Ignores every event of a run; the terminal's listeners (`pipeline/local/display.py`) override these methods."""

    def planned(self, plans: Sequence[StagePlan]) -> None:
        """The plan was made, or was made again after a stage ended."""

    def started(self, plan: StagePlan) -> None:
        """A stage starts."""

    def said(self, stage: str, line: str) -> None:
        """A stage wrote a line."""

    def ended(self, outcome: Outcome) -> None:
        """A stage ended, with or without an error."""

    def concluded(self, state: Any) -> None:
        """The run ended in this Prefect state; Prefect's API may not have it yet."""


current: ContextVar[Listener] = ContextVar("current", default=Listener())  # noqa: B039  (it has no state)
