"""A coordinator whose stages fail, crash or fall silent: the number of attempts, the message, and what it cancels."""

import threading
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import AwaitingRetry, Completed, Crashed, Failed, Late, Running, Scheduled, State

from pipeline.workers import coordinator as module
from pipeline.workers.attempts import INPUT_DAMAGED, STAGE_FAILED
from pipeline.workers.coordinator import Coordinator, StoppedError
from pipeline.workers.dispatch import Submission
from pipeline.workers.liveness import monitor
from stages.errors import PipelineError


class ScriptedDispatcher:
    """A dispatcher whose runs go through the given states, one per poll."""

    def __init__(self, *states: State | Exception, own: bool = True) -> None:
        self.states = list(states)
        self.own = own
        self.work_queue_id: uuid.UUID | None = uuid.uuid4()
        self.submitted: list[str] = []
        self.crashed: list[str] = []
        self.cancelled: list[uuid.UUID] = []

    def submit(self, stage: str, *, pool: str, key: str, parameters: dict[str, Any]) -> Submission:
        self.submitted.append(stage)
        return Submission(uuid.uuid4(), own=self.own)

    def read_runs(self, run_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, FlowRun]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        fields = {"flow_id": uuid.uuid4(), "state": state, "work_queue_id": self.work_queue_id}
        return {run_id: FlowRun.model_validate({"id": run_id, **fields}) for run_id in run_ids}

    def write_probe(self, run_id: uuid.UUID) -> None:
        pass

    def mark_crashed(self, run_id: uuid.UUID, cause: str) -> None:
        self.crashed.append(cause)

    def cancel(self, run_id: uuid.UUID) -> None:
        self.cancelled.append(run_id)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.pipeline.workers.toy_project import ToyProject

    folder = tmp_path_factory.mktemp("toy")
    (folder / "events").mkdir()
    project = ToyProject(folder / "events", folder)
    project.create()
    return project.work


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)


def make(root: Path, dispatcher: ScriptedDispatcher, **options: Any) -> Coordinator:
    return Coordinator(root, repository="origin", commit="0" * 40, dispatcher=dispatcher, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("states", "attempts", "message"),
    [
        (
            [Failed(name=STAGE_FAILED, message="download: row 17: label is empty")],
            1,
            r"^download: row 17: label is empty$",
        ),
        ([Failed(name=INPUT_DAMAGED, message="download: x is damaged")], 1, r"^download: x is damaged$"),
        ([Crashed(message="out of memory")], 3, r"^download: failed 3 times; last cause: out of memory$"),
        (
            [Completed()],
            3,
            r"^download: failed 3 times; last cause: it ended in the state Completed, but the DVC remote",
        ),
        ([httpx.ConnectError("away"), Failed(name=STAGE_FAILED, message="no")], 1, r"^download: no$"),
    ],
)
def test_attempts_are_bounded_and_the_message_names_stage_and_cause(
    root: Path, states: list[Any], attempts: int, message: str
) -> None:
    dispatcher = ScriptedDispatcher(*states)
    with pytest.raises(PipelineError, match=message):
        make(root, dispatcher).run()
    assert dispatcher.submitted == ["download"] * attempts


def test_a_silent_run_is_marked_crashed_and_retried(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "HEARTBEAT_TIMEOUT", -1.0)
    monkeypatch.setattr(monitor, "HEARTBEAT_INTERVAL", 0.0)
    dispatcher = ScriptedDispatcher(Running())
    with pytest.raises(PipelineError, match=r"^download: failed 3 times; last cause: no heartbeat for 0 s"):
        make(root, dispatcher).run()
    assert len(dispatcher.crashed) == 3


@pytest.mark.parametrize("state", [Scheduled(), Late(), AwaitingRetry()])
def test_a_run_whose_work_pool_was_deleted_does_not_wait_for_ever(root: Path, state: State) -> None:
    dispatcher = ScriptedDispatcher(state)
    dispatcher.work_queue_id = None
    with pytest.raises(PipelineError, match=r"last cause: its work pool was deleted\. Run: retune deploy\."):
        make(root, dispatcher).run()
    assert len(dispatcher.crashed) == 3


@pytest.mark.parametrize("own", [True, False])
def test_only_its_own_submissions_are_cancelled(root: Path, own: bool) -> None:
    dispatcher = ScriptedDispatcher(Running(), own=own)
    ended = threading.Event()
    coordinator = make(root, dispatcher, ended=ended)
    threading.Timer(0.5, ended.set).start()
    with pytest.raises(StoppedError, match="this run was ended from outside"):
        coordinator.run()
    coordinator.cancel()
    assert len(dispatcher.cancelled) == int(own)


def test_its_progress_is_shown_from_the_plan_to_the_end(root: Path) -> None:
    seen: list[dict[str, Any]] = []
    states = [
        Late(),
        Running(),
        Crashed(message="gone"),
        Running(),
        Failed(name=STAGE_FAILED, message="download: row 17"),
    ]
    dispatcher = ScriptedDispatcher(*states)
    coordinator = make(root, dispatcher, show=lambda progress: seen.append({r["stage"]: r for r in progress.rows()}))
    with pytest.raises(PipelineError, match="row 17"):
        coordinator.run()
    shown = [rows["download"]["now"] for rows in seen]
    assert list(dict.fromkeys(shown)) == ["submitted", "late", "running", "failed"]
    assert {rows["report"]["now"] for rows in seen[:-1]} == {"waiting"}
    assert {name: row["now"] for name, row in seen[-1].items()} == {
        "download": "failed",
        "finetune@1": "not reached",
        "evaluate@1": "not reached",
        "report": "not reached",
    }
    assert (seen[-1]["download"]["failed attempts"], seen[-1]["download"]["last failure"]) == (2, "row 17")


def test_each_submission_and_each_attempt_that_failed_is_a_line_of_the_log(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="pipeline")
    with pytest.raises(PipelineError):
        make(root, ScriptedDispatcher(Crashed(message="gone"))).run()
    lines = [line for line in caplog.messages if line.startswith("download")]
    submitted = [line for line in lines if line.startswith("download submitted to the pool cpu as ")]
    assert (len(submitted), len(lines)) == (3, 6)


@pytest.mark.parametrize(
    ("ref", "name"),
    [("main", "main at 0123456789ab"), ("v1.2", "v1.2 at 0123456789ab"), ("0123456789abcdef" * 2, "0123456789ab")],
)
def test_a_run_is_named_after_its_ref_and_commit(ref: str, name: str) -> None:
    from pipeline.workers.flows import run_name

    assert run_name(ref, "0123456789abcdef" * 2) == name
