"""What a run reports while it goes on: the flow calls the listener, and a display in the terminal implements it."""

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from pipeline.execution.stage_process import Outcome
from pipeline.planning.plan import StagePlan

if TYPE_CHECKING:  # importing Prefect takes seconds, and `retune plan` needs none of it
    from prefect.client.schemas.objects import State


class Listener:
    """Callbacks of a run; these ignore everything but its final state.

    Attributes:
        final_state: Prefect's state that the flow ended with; None until then. It is also set when Prefect's API is
            down and can't be told.
    """

    final_state: "State[Any] | None" = None

    def on_plan(self, plans: Sequence[StagePlan]) -> None:
        """The plan was made, or made again after a stage ended."""

    def on_stage_start(self, plan: StagePlan) -> None:
        """A stage starts."""

    def on_stage_output(self, stage: str, line: str) -> None:
        """A stage wrote a line."""

    def on_stage_end(self, outcome: Outcome) -> None:
        """A stage ended, successfully or not."""

    def on_run_end(self, state: "State[Any]") -> None:
        """The run ended with this state."""
        self.final_state = state


_current: ContextVar[Listener | None] = ContextVar("listener", default=None)


def current() -> Listener:
    """The listener of the run in this context; one that ignores everything where none was set."""
    return _current.get() or Listener()


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Make this the current listener for as long as the block lasts."""
    token = _current.set(listener)
    try:
        yield
    finally:
        _current.reset(token)
