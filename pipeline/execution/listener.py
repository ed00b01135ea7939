"""Who wants to hear what a run does: the terminal, or nobody."""

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from pipeline.execution.stage_process import Outcome
from pipeline.planning.plan import StagePlan


class Listener:
    """Hears everything and does nothing with it; `display.py` has those that show it."""

    def planned(self, plans: Sequence[StagePlan]) -> None:
        """The plan was made, or made again after a stage."""

    def started(self, plan: StagePlan) -> None:
        """A stage begins."""

    def said(self, stage: str, line: str) -> None:
        """A stage wrote a line."""

    def ended(self, outcome: Outcome) -> None:
        """A stage has ended, well or not."""

    def concluded(self, state: Any) -> None:
        """The run has come to its end, with this state of Prefect's; its API may not know it yet."""


current: ContextVar[Listener] = ContextVar("current", default=Listener())  # noqa: B039  (it has no state)
