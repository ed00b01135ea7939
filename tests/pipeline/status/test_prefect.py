"""What Prefect's API tells: the runs, their stages, where they are, and when they will have ended."""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prefect.client.schemas.objects import Artifact, FlowRun, TaskRun
from prefect.states import Completed, Pending, Running, Scheduled, State

from pipeline.execution.machine import HOST_LABEL, PROCESS_LABEL, host_name, process_name
from pipeline.status.activity import Activity
from pipeline.status.prefect import activities_of_server

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
ORIGIN = {"repository": "git@host:team/project.git"}


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


class Server:
    """Prefect's API with some runs of each flow; a filter by state, name or tag works as Prefect's does."""

    def __init__(self) -> None:
        self.runs: dict[str, list[FlowRun]] = {"coordinate": [], "run-stage": [], "retrain": []}
        self.tasks: dict[uuid.UUID | None, list[TaskRun]] = {}
        self.plans: dict[uuid.UUID, list[dict[str, Any]]] = {}

    def add(self, flow: str, name: str, state: State, *, started: datetime | None = None, **fields: Any) -> FlowRun:
        labels = {HOST_LABEL: fields.pop("host")} if "host" in fields else {}
        fields = {"expected_start_time": ago(500), "parameters": ORIGIN, "labels": labels, **fields}
        run = FlowRun(flow_id=uuid.uuid4(), name=name, state=state, start_time=started, **fields)
        self.runs[flow].append(run)
        return run

    def add_stage(self, run: FlowRun, stage: str, state: State, **fields: Any) -> FlowRun:
        tags = [f"stage:{stage}", f"by:{run.id}"]
        return self.add("run-stage", stage, state, tags=tags, work_pool_name="gpu", **fields)

    def ran_before(self, stage: str, *seconds: float, **fields: Any) -> None:
        for each in seconds:
            took = {"total_run_time": timedelta(seconds=each), "tags": [f"stage:{stage}"], **fields}
            self.add("run-stage", stage, Completed(), started=ago(9999), **took)

    def read_flow_runs(
        self, *, flow_run_filter: Any, flow_filter: Any = None, sort: Any = None, limit: int = 200, offset: int = 0
    ) -> list[FlowRun]:
        flows = flow_filter.name.any_ if flow_filter else self.runs
        found = [run for flow in flows for run in self.runs[flow]]
        tags = flow_run_filter.tags.all_ if flow_run_filter.tags else []
        kinds = flow_run_filter.state.type.any_ if flow_run_filter.state.type else []
        names = flow_run_filter.state.name.any_ if flow_run_filter.state.name else []
        return [
            run
            for run in found
            if run.state
            and set(tags) <= set(run.tags)
            and (run.state.type in kinds or not kinds)
            and (run.state.name in names or not names)
        ][offset : offset + limit]

    def read_task_runs(self, *, task_run_filter: Any, flow_run_filter: Any = None, **_: Any) -> list[TaskRun]:
        if flow_run_filter is None:
            return [task for task in self.tasks.get(None, []) if task.name in task_run_filter.name.any_]
        return [task for run_id in flow_run_filter.id.any_ for task in self.tasks.get(run_id, [])]

    def read_artifacts(self, *, artifact_filter: Any) -> list[Artifact]:
        plans = [self.plans[run_id] for run_id in artifact_filter.flow_run_id.any_ if run_id in self.plans]
        return [Artifact(key="plan", type="table", data=json.dumps(plan)) for plan in plans]


def shown(server: Server) -> list[tuple[str, str | None, str, str]]:
    return [(each.name, each.run, each.state, each.where) for each in read(server)]


def read(server: Server) -> list[Activity]:
    return activities_of_server(server, NOW)  # type: ignore[arg-type]


def row(stage: str, now: str, after: str = "") -> dict[str, str]:
    return {"stage": stage, "now": now, "after": after}


def test_more_runs_than_one_answer_of_prefect_holds_are_all_shown() -> None:
    server = Server()
    first = server.add("coordinate", "main at 1a", Running(), started=ago(60), host="cpu-box")
    for number in range(250):
        server.add_stage(first, f"finetune@{number}", Pending())
    assert len(read(server)) == 251


def test_each_run_is_followed_by_its_own_stages_and_where_they_are() -> None:
    server = Server()
    first = server.add("coordinate", "main at 1a", Running(), started=ago(60), host="cpu-box")
    second = server.add("coordinate", "dev at 2b", Running(), started=ago(50), host="cpu-box")
    server.add_stage(second, "tokenize", Running(), started=ago(5), host="cpu-box")
    server.add_stage(first, "finetune@1", Running(), started=ago(40), host="gpu-box")
    server.add_stage(first, "finetune@2", Scheduled(scheduled_time=ago(9)))
    server.add_stage(first, "split", Completed(), started=ago(9))
    assert shown(server) == [
        ("main at 1a", None, "running", "cpu-box"),
        ("finetune@1", "main at 1a", "running", "gpu-box"),
        ("finetune@2", "main at 1a", "scheduled", "pool gpu"),
        ("dev at 2b", None, "running", "cpu-box"),
        ("tokenize", "dev at 2b", "running", "cpu-box"),
    ]


def test_a_restarted_coordinator_has_the_stages_of_the_first_one() -> None:
    server = Server()
    gone = server.add("coordinate", "first", Completed(), started=ago(90))
    server.add("coordinate", "again", Running(), started=ago(60), tags=[f"lineage:{gone.id}"], host="b")
    server.add_stage(gone, "finetune@1", Running(), started=ago(40), host="c")
    assert shown(server)[1][:2] == ("finetune@1", "again")


def test_a_stage_whose_coordinator_is_gone_is_shown_too() -> None:
    server = Server()
    gone = server.add("coordinate", "first", Completed(), started=ago(90))
    server.add_stage(gone, "finetune@1", Running(), started=ago(40), host="c")
    assert shown(server) == [("finetune@1", "?", "running", "c")]


@pytest.mark.parametrize("flow", ["coordinate", "retrain", "run-stage"])
def test_what_is_due_is_shown_and_what_comes_later_is_not(flow: str) -> None:
    server = Server()
    server.add(flow, "tonight", Scheduled(), expected_start_time=ago(-3600))
    server.add(flow, "late", Scheduled(), expected_start_time=ago(60), work_pool_name="cpu")
    server.add(flow, "taken", Pending(), expected_start_time=ago(50), work_pool_name="cpu")
    found = read(server)
    assert [(each.name, each.state, each.where) for each in found] == [
        ("late", "scheduled", "pool cpu"),
        ("taken", "pending", "pool cpu"),
    ]
    assert found[0].since == ago(60)
    assert found[0].ends is None


def test_a_stage_is_expected_to_take_the_median_of_its_last_runs_in_this_project() -> None:
    server = Server()
    run = server.add("coordinate", "main", Running(), started=ago(60))
    server.add_stage(run, "finetune@1", Running(), started=ago(40))
    server.ran_before("finetune@1", 100, 90, 5000, 95, 98, 1, 1, 1, 1, 1, 1)  # the newest first: five count
    server.ran_before("finetune@1", 7, 7, 7, 7, 7, parameters={"repository": "another"})
    server.ran_before("finetune@2", 7, 7, 7)
    assert read(server)[1].ends == ago(40) + timedelta(seconds=98)


def test_a_stage_that_never_ran_has_no_expected_end_and_neither_has_its_run() -> None:
    server = Server()
    run = server.add("coordinate", "main", Running(), started=ago(60))
    server.add_stage(run, "finetune@1", Running(), started=ago(40))
    server.plans[run.id] = [row("finetune@1", "running")]
    assert [each.ends for each in read(server)] == [None, None]


@pytest.mark.parametrize(
    ("finetune", "report", "left"),
    [
        ("running", "waiting", 100 - 40 + 30),
        ("done", "waiting", 30),
        ("done", "up to date", 0),
        ("failed", "not reached", 0),
        ("late", "waiting", 100 - 40 + 30),
    ],
)
def test_a_run_ends_when_the_stages_that_are_left_have_ended(finetune: str, report: str, left: float) -> None:
    server = Server()
    run = server.add("coordinate", "main", Running(), started=ago(60))
    server.add_stage(run, "finetune@1", Running(), started=ago(40))
    server.plans[run.id] = [
        row("split", "done"),
        row("finetune@1", finetune, "split"),
        row("report", report, "finetune@1"),
    ]
    server.ran_before("finetune@1", 100)
    server.ran_before("report", 30)
    assert read(server)[0].ends == NOW + timedelta(seconds=left)


def test_an_overdue_stage_puts_the_end_of_its_run_at_now_and_not_before() -> None:
    server = Server()
    run = server.add("coordinate", "main", Running(), started=ago(600))
    server.add_stage(run, "finetune@1", Running(), started=ago(500))
    server.plans[run.id] = [row("finetune@1", "running")]
    server.ran_before("finetune@1", 100)
    assert [each.ends for each in read(server)] == [NOW, ago(400)]


def test_the_stages_of_a_run_in_one_folder_are_its_tasks() -> None:
    server = Server()
    run = server.add("retrain", "quick-fox", Running(), started=ago(60), host="gpu-box:/srv/project")
    tasks = [
        TaskRun(flow_run_id=run.id, name=name, task_key="k", dynamic_key=name, state=Running(), start_time=begun)
        for name, begun in (("finetune@1", ago(40)), ("finetune@2", None))
    ]
    server.tasks[run.id] = tasks
    before = TaskRun(name="finetune@1", task_key="k", dynamic_key="x", total_run_time=timedelta(seconds=50))
    server.tasks[None] = [before]
    assert shown(server) == [
        ("quick-fox", None, "running", "gpu-box:/srv/project"),
        ("finetune@1", "quick-fox", "running", "gpu-box:/srv/project"),
    ]
    assert read(server)[1].ends == ago(40) + timedelta(seconds=50)


def ended() -> str:
    """The name of a process that has ended."""
    code = "from pipeline.execution.machine import *; print(process_name())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def replaced() -> str:
    """The name of a process whose number is another process's by now."""
    return process_name().partition("@")[0] + "@1000000000"


@pytest.mark.parametrize(
    ("host", "process", "expected"),
    [
        (host_name, process_name, True),
        (host_name, ended, False),
        (host_name, replaced, False),
        (host_name, lambda: "damaged", False),
        (host_name, lambda: None, True),
        (lambda: "gpu-box", replaced, True),  # nobody can tell from here
    ],
    ids=["lives", "has ended", "is another by now", "has a damaged name", "has no name", "is on another machine"],
)
def test_a_run_that_was_killed_on_this_machine_does_not_run(
    host: Callable[[], str], process: Callable[[], str | None], expected: bool
) -> None:
    server = Server()
    named = {PROCESS_LABEL: name} if (name := process()) else {}
    labels = {HOST_LABEL: f"{host()}:/project", **named}
    run = server.add("retrain", "normal-carp", Running(), started=ago(60), labels=labels)
    server.tasks[run.id] = [TaskRun(task_key="x", dynamic_key="1", name="split", start_time=ago(50))]
    assert [name for name, *_ in shown(server)] == (["normal-carp", "split"] if expected else [])
