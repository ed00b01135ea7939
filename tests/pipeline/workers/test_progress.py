"""A coordinator's progress: what has happened to each stage, as one artifact that is rewritten."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.schemas.objects import Artifact

from pipeline.planning.plan import StagePlan, State
from pipeline.repository.graph import Graph, Stage
from pipeline.workers.attempts import Attempts, RunEnd
from pipeline.workers.progress import ENDED, Progress, ProgressArtifact
from tests.pipeline.workers.test_prefect_api import http_error

NAMES = ("rows", "cut", "train", "report")
GRAPH = Graph(
    tuple(Stage(name, "true") for name in NAMES),
    {"rows": (), "cut": ("rows",), "train": ("rows", "cut"), "report": ("rows", "cut", "train")},
)


def plans(**states: State) -> dict[str, StagePlan]:
    return {name: StagePlan(name, states.get(name, "fresh"), ("cut.length 5 -> 6",)) for name in NAMES}


def progress(now: dict[str, StagePlan] | None = None, **facts: Any) -> Progress:
    first = plans(cut="runs", train="pending", report="pending")
    fields = {"attempts": {}, "active": {}, "over": False, **facts}
    return Progress(GRAPH, list(first.values()), now or first, **fields)


def states(progress: Progress) -> dict[str, Any]:
    return {str(row["stage"]): row["now"] for row in progress.rows()}


def failed(stage: str, *, retryable: bool) -> Attempts:
    attempts = Attempts()
    attempts.failed(RunEnd(Stage(stage, "true"), f"{stage}: out of memory", retryable=retryable))
    return attempts


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, {"rows": "up to date", "cut": "waiting", "train": "waiting", "report": "waiting"}),
        ({"active": {"cut": "Late"}, "attempts": {"cut": Attempts()}}, {"cut": "late"}),
        ({"active": {"cut": "Running"}, "attempts": {"cut": failed("cut", retryable=True)}}, {"cut": "running"}),
        ({"now": plans(cut="restored", train="runs"), "attempts": {"cut": Attempts()}}, {"cut": "done"}),
        ({"now": plans(cut="restored")}, {"cut": "restored", "train": "up to date", "report": "up to date"}),
        ({"attempts": {"cut": failed("cut", retryable=True)}}, {"cut": "waiting"}),
        ({"attempts": {"cut": failed("cut", retryable=False)}}, {"cut": "failed", "train": "waiting"}),
        (
            {"attempts": {"cut": failed("cut", retryable=False)}, "over": True},
            {"cut": "failed", "train": "not reached", "report": "not reached"},
        ),
    ],
)
def test_what_has_happened_to_each_stage(facts: dict[str, Any], expected: dict[str, str]) -> None:
    found = states(progress(**facts))
    assert {name: found[name] for name in expected} == expected


def test_a_row_names_the_plan_the_reasons_what_it_waits_for_and_the_last_failure() -> None:
    attempts = failed("cut", retryable=True)
    attempts.seconds = 7.25
    rows = {str(row["stage"]): row for row in progress(attempts={"cut": attempts}).rows()}
    assert rows["cut"] == {
        "stage": "cut",
        "now": "waiting",
        "planned": "runs",
        "why": "cut.length 5 -> 6",
        "after": "rows",
        "seconds": 7.2,
        "failed attempts": 1,
        "last failure": "out of memory",
    }
    assert rows["report"]["after"] == "train", "the others are implied"
    assert rows["report"]["seconds"] is None


def test_the_states_of_a_run_that_is_over_are_those_that_status_takes_for_ended() -> None:
    over = progress(attempts={"cut": failed("cut", retryable=False)}, over=True)
    assert set(states(over).values()) <= set(ENDED)
    assert states(progress())["cut"] not in ENDED


class Client:
    """Prefect's artifacts, by id; away: it does not answer."""

    def __init__(self) -> None:
        self.artifacts: dict[UUID, Any] = {}
        self.asked = self.writes = 0
        self.refusal = 0
        self.away = False

    def create_artifact(self, artifact: Any) -> Artifact:
        made = uuid4()
        self._write(made, artifact)
        return Artifact(id=made)

    def update_artifact(self, artifact_id: UUID, artifact: Any) -> None:
        if artifact_id not in self.artifacts:
            raise http_error(404, {"exception_message": "Artifact not found"})
        self._write(artifact_id, artifact)

    def _write(self, artifact_id: UUID, artifact: Any) -> None:
        self.asked += 1
        if self.refusal:
            raise http_error(self.refusal)
        if self.away:
            raise httpx.ConnectError("away")
        self.writes += 1
        self.artifacts[artifact_id] = artifact

    @property
    def shown(self) -> Any:
        (artifact,) = self.artifacts.values()
        return {row["stage"]: row["now"] for row in json.loads(artifact.data)}


def test_one_artifact_is_rewritten_only_where_something_changed() -> None:
    client = Client()
    artifact = ProgressArtifact(client, uuid4())  # type: ignore[arg-type]
    for _ in range(3):
        artifact.write(progress())
    assert client.writes == 1
    artifact.write(progress(active={"cut": "Running"}, attempts={"cut": Attempts()}))
    assert (client.writes, client.shown["cut"]) == (2, "running")


def test_what_could_not_be_written_is_written_later() -> None:
    client = Client()
    artifact = ProgressArtifact(client, uuid4())  # type: ignore[arg-type]
    client.away = True
    artifact.write(progress())
    client.away = False
    artifact.write(progress())
    client.away = True
    running = progress(active={"cut": "Running"}, attempts={"cut": Attempts()})
    artifact.write(running)
    assert client.shown["cut"] == "waiting"
    client.away = False
    artifact.write(replace(running))
    assert (client.writes, client.shown["cut"]) == (2, "running")


def test_a_deleted_artifact_is_created_again(caplog: pytest.LogCaptureFixture) -> None:
    client = Client()
    artifact = ProgressArtifact(client, uuid4())  # type: ignore[arg-type]
    artifact.write(progress())
    client.artifacts.clear()
    running = progress(active={"cut": "Running"}, attempts={"cut": Attempts()})
    for _ in range(3):
        artifact.write(running)
    assert (client.writes, client.shown["cut"]) == (2, "running")
    assert caplog.messages == []


def test_what_the_api_refuses_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    client = Client()
    client.refusal = 413
    artifact = ProgressArtifact(client, uuid4())  # type: ignore[arg-type]
    for _ in range(3):
        artifact.write(progress())
    assert client.asked == 1
    assert [line.split(" (")[0] for line in caplog.messages] == [
        "The artifact plan is not written: Prefect's API refuses a request"
    ]
