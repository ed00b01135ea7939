"""How the flow runs of one stage ended, and whether it is tried again."""

import time
from dataclasses import dataclass, field

from prefect.client.schemas.objects import State

from pipeline.repository.graph import Stage

DEFAULT_RETRIES = 2  # after a kill, a crash or a timeout, where dvc.yaml has no meta.retries for the stage
STAGE_FAILED = "StageFailed"  # names of Prefect states that `run-stage` ends in; neither is retried
INPUT_DAMAGED = "InputDamaged"


@dataclass(frozen=True)
class RunEnd:
    """How one flow run of a stage ended.

    Attributes:
        completed: It ended in Prefect's state Completed.
        retryable: Another attempt may succeed.
    """

    stage: Stage
    cause: str
    completed: bool = False
    retryable: bool = True

    @classmethod
    def of_state(cls, stage: Stage, state: State) -> "RunEnd":
        """The end that a final state of Prefect's describes."""
        ended = f"it ended in the state {state.name}"
        return cls(
            stage,
            f"{ended}, but the DVC remote does not hold its result" if state.is_completed() else state.message or ended,
            completed=state.is_completed(),
            retryable=state.name not in (STAGE_FAILED, INPUT_DAMAGED),
        )


@dataclass
class Attempts:
    """The attempts at one stage so far.

    Attributes:
        unsuccessful: Number of attempts that ended without a record in the DVC remote.
        cause: Why the last one ended.
        exhausted: The stage is not tried again.
        seconds: From the last submission until its end was seen.
    """

    unsuccessful: int = 0
    cause: str = ""
    exhausted: bool = False
    seconds: float = 0.0
    submitted_at: float = field(default_factory=time.monotonic)

    def submitted(self) -> None:
        """Start the clock of another attempt."""
        self.submitted_at = time.monotonic()

    def ended(self) -> None:
        """Stop the clock."""
        self.seconds = time.monotonic() - self.submitted_at

    def failed(self, end: RunEnd) -> None:
        """Count an attempt that ended without a record."""
        self.unsuccessful += 1
        self.cause = end.cause.removeprefix(f"{end.stage.name}: ")
        retries = int(end.stage.meta.get("retries", DEFAULT_RETRIES))
        self.exhausted = not end.retryable or self.unsuccessful > retries

    @property
    def message(self) -> str:
        """The cause, with the number of attempts where there was more than one."""
        return self.cause if self.unsuccessful <= 1 else f"failed {self.unsuccessful} times; last cause: {self.cause}"
