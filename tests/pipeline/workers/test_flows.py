"""The flow `coordinate` without a server: it beats from its start to its end, and opens one pull request per result."""

import contextlib
import errno
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import httpx
import pytest
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Cancelling, Running

from pipeline.repository import git
from pipeline.workers import flows
from pipeline.workers.coordinator import StoppedError
from pipeline.workers.publishing import pull_request
from tests.pipeline.workers.in_process import InProcessDispatcher
from tests.pipeline.workers.test_prefect_api import GONE, http_error

COMMAND = 'echo "$BRANCH" >> "$TOY_EVENTS/opened"'


class Client:
    """The part of Prefect's API that the flow itself uses."""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update_flow_run(self, run_id: uuid.UUID, name: str) -> None:
        pass


class Beats:
    """Takes the place of the heartbeats; `at_step` is called with what the coordinator starts."""

    def __init__(self, at_step: Callable[[str, "Beats"], None]) -> None:
        self.on_ended: Callable[[], None] | None = None
        self._at_step = at_step

    @contextlib.contextmanager
    def sending(self, _: uuid.UUID, on_ended: Callable[[], None]) -> Iterator[None]:
        self.on_ended = on_ended
        yield
        self.on_ended = None

    def step(self, name: str) -> None:
        self._at_step(name, self)


Run = Callable[[Callable[[str, Beats], None]], State[Any]]


@pytest.fixture
def run(project: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the flow on the toy project; its stages run in this process."""
    project.create()
    monkeypatch.setenv(pull_request.COMMAND, COMMAND)
    monkeypatch.setattr(flows, "_flow_run_id", uuid.uuid4)
    monkeypatch.setattr(flows, "get_client", lambda **_: Client())
    monkeypatch.setattr(flows, "Dispatcher", lambda *_: InProcessDispatcher())
    monkeypatch.setattr(flows, "ProgressArtifact", lambda *_: type("Shown", (), {"write": lambda *_: None})())
    monkeypatch.setattr(flows, "create_markdown_artifact", lambda *_, **__: None)
    call, start = git.call, pull_request.subprocess.run

    def start_flow(at_step: Callable[[str, Beats], None]) -> State[Any]:
        beats = Beats(at_step)
        monkeypatch.setattr(flows, "sending_heartbeats", beats.sending)

        def watched_call(root: Path | None, *arguments: str, **options: Any) -> Any:
            beats.step(f"git {arguments[0]}")
            return call(root, *arguments, **options)

        def watched_start(command: Any, **options: Any) -> Any:
            if command == COMMAND:
                beats.step("pull request")
            elif "compare" in command:
                beats.step("compare")
            return start(command, **options)

        with monkeypatch.context() as patch:
            patch.setattr(git, "call", watched_call)
            patch.setattr(pull_request.subprocess, "run", watched_start)
            state: State[Any] = flows.coordinate.fn(str(project.origin), params={"finetune.learning_rate": 3e-5})
        return state

    return start_flow


def opened(project: Any) -> int:
    file = project.event_folder / "opened"
    return len(file.read_text().splitlines()) if file.exists() else 0


def notes(project: Any) -> str:
    return git.run(project.origin, "for-each-ref", pull_request.WAITING_REFS)


def test_a_coordinator_beats_whatever_it_does(run: Run) -> None:
    steps: dict[str, bool] = {}

    def note(name: str, beats: Beats) -> None:
        steps[name] = steps.get(name, True) and beats.on_ended is not None

    assert run(note).is_completed()
    assert {"git ls-remote", "git fetch", "git checkout", "git push", "compare", "pull request"} <= set(steps)
    assert [name for name, beating in steps.items() if not beating] == []


def test_a_result_gets_one_pull_request_however_often_it_is_found_again(run: Run, project: Any) -> None:
    for _ in range(3):
        assert run(lambda *_: None).is_completed()
    assert (opened(project), notes(project)) == (1, "")


@pytest.mark.parametrize("killed_at", ["git push", "pull request"])
def test_a_restarted_coordinator_opens_the_pull_request_that_a_killed_one_did_not(
    run: Run, project: Any, killed_at: str
) -> None:
    def kill(name: str, _: Beats) -> None:
        if name == killed_at and (killed_at != "git push" or project.branches()):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(kill)
    assert (len(project.branches()), opened(project)) == (1, 0)
    for _ in range(2):
        assert run(lambda *_: None).is_completed()
    assert (len(project.branches()), opened(project), notes(project)) == (1, 1, "")


def test_a_command_that_failed_is_tried_again_by_the_next_run(
    run: Run, project: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(pull_request.COMMAND, "false")
    assert run(lambda *_: None).is_completed()
    assert "RETUNE_PULL_REQUEST failed with exit code 1" in caplog.text
    monkeypatch.setenv(pull_request.COMMAND, COMMAND)
    for _ in range(2):
        assert run(lambda *_: None).is_completed()
    assert opened(project) == 1


@pytest.mark.parametrize("ended_at", ["git checkout", "compare"])
def test_a_coordinator_that_is_ended_publishes_nothing_more(run: Run, project: Any, ended_at: str) -> None:
    def end(name: str, beats: Beats) -> None:
        if name == ended_at and beats.on_ended:
            beats.on_ended()

    assert run(end).is_cancelled()
    assert (project.branches(), opened(project)) == ([], 0)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Cancelling(), True),
        (Cancelled(), True),
        (Running(), False),
        (http_error(404, GONE), True),
        (http_error(401), False),
        (http_error(503), False),
        (httpx.ConnectError("away"), False),
    ],
)
def test_the_stages_of_a_run_that_was_cancelled_or_deleted_are_cancelled(
    answer: Any, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever Prefect's API does, the error that ended the run is the one that is raised."""
    monkeypatch.setattr(flows, "_flow_run_id", uuid.uuid4)
    client, coordinator = MagicMock(), MagicMock()
    coordinator.run.side_effect = StoppedError("first")
    client.read_flow_run.side_effect = [answer if isinstance(answer, Exception) else MagicMock(state=answer)]
    with pytest.raises(StoppedError, match="first"):
        flows._run(coordinator, client)
    assert coordinator.cancel.called == expected


def coordinate_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> State[Any]:
    monkeypatch.setattr(flows, "_flow_run_id", uuid.uuid4)
    monkeypatch.setattr(flows, "sending_heartbeats", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(git, "resolve_remote", lambda *_: "0" * 40)
    monkeypatch.setattr(flows.checkout, "slot", MagicMock(side_effect=error))
    state: State[Any] = flows.coordinate.fn("origin")
    return state


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO])
def test_what_the_operating_system_refuses_is_one_line(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    state = coordinate_with(OSError(number, os.strerror(number), "/home/slots"), monkeypatch)
    assert state.is_failed()
    assert str(state.message).startswith("/home/slots: ")
    assert "\n" not in str(state.message)


def test_any_other_error_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="no such device"):
        coordinate_with(OSError(errno.ENXIO, "no such device"), monkeypatch)
