"""A coordinator whose workers misbehave: bounded tries, causes by name, and what is cancelled with it."""

import threading
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import Completed, Crashed, Failed, Running, State

from pipeline import coordinator as module
from pipeline.workers import heartbeat
from pipeline.workers.coordinator import DAMAGED, SAID_NO, Coordinator, StoppedError
from pipeline.workers.dispatch import Sent
from stages.errors import PipelineError


class Scripted:
    """Workers whose runs are in the states that a test gives, one after the other."""

    def __init__(self, *states: State | Exception, own: bool = True) -> None:
        self.states = list(states)
        self.own = own
        self.sent: list[str] = []
        self.given_up: list[str] = []
        self.cancelled: list[uuid.UUID] = []

    def send(self, stage: str, *, pool: str, key: str, parameters: dict[str, Any]) -> Sent:
        self.sent.append(stage)
        return Sent(uuid.uuid4(), own=self.own)

    def look(self, run_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, FlowRun]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        return {run_id: FlowRun(id=run_id, flow_id=uuid.uuid4(), state=state) for run_id in run_ids}

    def touch(self, run_id: uuid.UUID) -> None:
        pass

    def give_up(self, run_id: uuid.UUID, cause: str) -> None:
        self.given_up.append(cause)

    def cancel(self, run_id: uuid.UUID) -> None:
        self.cancelled.append(run_id)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.pipeline.workers.project import Project

    folder = tmp_path_factory.mktemp("toy")
    (folder / "events").mkdir()
    project = Project(folder / "events", folder)
    project.create()
    return project.work


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)


def make(root: Path, workers: Scripted) -> Coordinator:
    return Coordinator(root, repository="origin", commit="0" * 40, workers=workers)


@pytest.mark.parametrize(
    ("states", "tries", "message"),
    [
        ([Failed(name=SAID_NO, message="download: row 17: label is empty")], 1, r"^download: row 17: label is empty$"),
        ([Failed(name=DAMAGED, message="download: x is damaged")], 1, r"^download: x is damaged$"),
        ([Crashed(message="out of memory")], 3, r"^download: 3 tries; the last one: out of memory$"),
        ([Completed()], 3, r"^download: 3 tries; the last one: it ended as Completed$"),
        ([httpx.ConnectError("away"), Failed(name=SAID_NO, message="no")], 1, r"^download: no$"),
    ],
)
def test_tries_are_bounded_and_the_last_word_names_stage_and_cause(
    root: Path, states: list[Any], tries: int, message: str
) -> None:
    workers = Scripted(*states)
    with pytest.raises(PipelineError, match=message):
        make(root, workers).run()
    assert workers.sent == ["download"] * tries


def test_a_silent_run_is_given_up_and_sent_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "LOST_SECONDS", -1.0)
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.0)
    workers = Scripted(Running())
    with pytest.raises(PipelineError, match=r"^download: 3 tries; the last one: no sign of life for 0 s"):
        make(root, workers).run()
    assert len(workers.given_up) == 3


@pytest.mark.parametrize("own", [True, False])
def test_only_what_is_our_own_is_cancelled(root: Path, own: bool) -> None:
    workers = Scripted(Running(), own=own)
    coordinator = make(root, workers)
    threading.Timer(0.5, coordinator.stop).start()
    with pytest.raises(StoppedError, match="somebody has ended this run"):
        coordinator.run()
    coordinator.cancel()
    assert len(workers.cancelled) == int(own)
