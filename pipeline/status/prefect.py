"""What runs on the workers and in other folders, read from Prefect's API."""

import json
import statistics
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import ArtifactFilter, FlowFilter, FlowRunFilter, TaskRunFilter
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.client.schemas.sorting import FlowRunSort, TaskRunSort
from prefect.utilities.urls import url_for

from pipeline.execution.machine import HOST_LABEL, PROCESS_LABEL, host_name, is_alive
from pipeline.status.activity import Activity, expected_end, longest_path
from pipeline.workers.dispatch import LINEAGE_TAG, OWNER_TAG, RUN_STAGE, STAGE_TAG
from pipeline.workers.prefect_api import open_client, read_all_runs, state_words
from pipeline.workers.progress import ENDED, KEY

COORDINATE, RETRAIN = "coordinate", "retrain"  # names of flows
ACTIVE = {"state": {"type": {"any_": ["SCHEDULED", "PENDING", "RUNNING", "CANCELLING", "PAUSED"]}}}
FINISHED = {"state": {"name": {"any_": ["Completed"]}}}  # without Cached, which takes no time
EARLIER_RUNS = 5  # of a stage, whose median is the expected time
RUNNING = "running"


def read_activities() -> list[Activity]:
    """What runs or is due, by the configured API.

    Raises:
        PipelineError: The API does not answer, or refuses the password.
    """
    with open_client(purpose="list the runs") as client:
        return activities_of_server(client, datetime.now(UTC))


def activities_of_server(client: SyncPrefectClient, now: datetime) -> list[Activity]:
    """Every run and every stage that runs or is due, each run followed by its stages.

    Args:
        client: Prefect's API.
        now: The time now; runs that are scheduled for later are left out.
    """
    history = _History(client)
    stages = _read_due(client, RUN_STAGE, now)
    found: list[Activity] = []
    for run in _read_due(client, COORDINATE, now):
        own = [stage for stage in stages if _is_owner(run, stage)]
        stages = [stage for stage in stages if stage not in own]
        found.append(_activity(run, None, _end_of_coordinator(client, run, own, history, now)))
        found += [_activity(stage, run.name, history.end_of(stage)) for stage in own]
    for run in (run for run in _read_due(client, RETRAIN, now) if not _was_killed(run)):
        found.append(_activity(run, None, None))
        found += [_activity_of_task(task, run, history) for task in _read_tasks(client, run) if task.start_time]
    without_coordinator = [_activity(stage, "?", history.end_of(stage)) for stage in stages]
    return found + without_coordinator


class _History:
    """How long stages took before.

    Args:
        client: Prefect's API.
    """

    def __init__(self, client: SyncPrefectClient) -> None:
        self._client = client
        self.of_stage = cache(self._of_stage)
        self.of_task = cache(self._of_task)

    def end_of(self, run: FlowRun) -> datetime | None:
        """The expected end of the flow run of a stage that has started."""
        seconds = self.of_stage(run.name, str(run.parameters.get("repository"))) if run.start_time else None
        return expected_end(run.start_time, seconds) if run.start_time else None

    def _of_stage(self, stage: str, repository: str) -> float | None:
        """Seconds of a stage of a project on the workers: the median of its last runs; None if it never ran."""
        of_stage = {"tags": {"all_": [f"{STAGE_TAG}{stage}"]}, **FINISHED}
        runs = self._client.read_flow_runs(
            flow_run_filter=FlowRunFilter.model_validate(of_stage), sort=FlowRunSort.END_TIME_DESC
        )
        return _median(run for run in runs if str(run.parameters.get("repository")) == repository)

    def _of_task(self, stage: str) -> float | None:
        """The same of a stage that ran as a task of `retrain`."""
        tasks = self._client.read_task_runs(
            flow_filter=FlowFilter.model_validate({"name": {"any_": [RETRAIN]}}),
            task_run_filter=TaskRunFilter.model_validate({"name": {"any_": [stage]}, **FINISHED}),
            sort=TaskRunSort.END_TIME_DESC,
            limit=EARLIER_RUNS,
        )
        return _median(tasks)


def _read_due(client: SyncPrefectClient, flow: str, now: datetime) -> list[FlowRun]:
    """The runs of a flow that have begun, or should have."""
    runs = read_all_runs(
        client,
        flow_filter=FlowFilter.model_validate({"name": {"any_": [flow]}}),
        flow_run_filter=FlowRunFilter.model_validate(ACTIVE),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
    )
    return [run for run in runs if _since(run) <= now]


def _read_tasks(client: SyncPrefectClient, run: FlowRun) -> list[TaskRun]:
    return client.read_task_runs(
        flow_run_filter=FlowRunFilter.model_validate({"id": {"any_": [run.id]}}),
        task_run_filter=TaskRunFilter.model_validate({"state": {"type": {"any_": ["RUNNING"]}}}),
    )


def _was_killed(run: FlowRun) -> bool:
    """Whether a run of `retrain` was killed on this machine: it has no heartbeats, so Prefect keeps its state."""
    process, where = run.labels.get(PROCESS_LABEL), str(run.labels.get(HOST_LABEL, ""))
    return process is not None and where.startswith(f"{host_name()}:") and not is_alive(str(process))


def _is_owner(coordinator: FlowRun, stage: FlowRun) -> bool:
    """Whether this coordinator, or the one that it restarts, has submitted the stage."""
    first = [tag.removeprefix(LINEAGE_TAG) for tag in coordinator.tags if tag.startswith(LINEAGE_TAG)]
    return f"{OWNER_TAG}{next(iter(first), coordinator.id)}" in stage.tags


def _activity(run: FlowRun, owner: str | None, ends: datetime | None) -> Activity:
    state = state_words(run.state.name or run.state.type.value) if run.state else "unknown"
    pool = f"pool {run.work_pool_name}" if run.work_pool_name else "unknown"
    where = str(run.labels.get(HOST_LABEL, pool))
    return Activity(run.name, owner, state, where, _since(run), ends, url_for("flow-run", run.id))


def _activity_of_task(task: TaskRun, run: FlowRun, history: _History) -> Activity:
    since = task.start_time or _since(run)
    ends, where = expected_end(since, history.of_task(task.name)), str(run.labels.get(HOST_LABEL, "unknown"))
    return Activity(task.name, run.name, RUNNING, where, since, ends, url_for("task-run", task.id))


def _since(run: FlowRun) -> datetime:
    since = run.start_time or run.expected_start_time or run.created
    assert since is not None, f"Prefect gives the run {run.id} no time"
    return since


def _end_of_coordinator(
    client: SyncPrefectClient, run: FlowRun, stages: Sequence[FlowRun], history: _History, now: datetime
) -> datetime | None:
    """When the last stage of a coordinator ends, by its plan and by how long its stages took before."""
    rows = _read_plan(client, run)
    started = {stage.name: stage.start_time for stage in stages if stage.start_time}
    left: dict[str, float | None] = {}
    for row in rows:
        name = str(row["stage"])
        if row["now"] not in ENDED:
            seconds = history.of_stage(name, str(run.parameters.get("repository")))
            elapsed = (now - started[name]).total_seconds() if name in started else 0.0
            left[name] = seconds if seconds is None else max(0.0, seconds - elapsed)
    after = {str(row["stage"]): str(row["after"]).split(", ") for row in rows}
    return longest_path(after, left, now) if rows else None


def _read_plan(client: SyncPrefectClient, run: FlowRun) -> list[dict[str, Any]]:
    of_run = {"flow_run_id": {"any_": [run.id]}, "key": {"any_": [KEY]}}
    found = client.read_artifacts(artifact_filter=ArtifactFilter.model_validate(of_run))
    data = found[0].data if found else None
    return list(json.loads(data)) if isinstance(data, str) else []


def _median(runs: Iterable[FlowRun | TaskRun]) -> float | None:
    """Seconds that the newest of these runs took, by their median."""
    seconds = [run.total_run_time.total_seconds() for run in runs][:EARLIER_RUNS]
    return statistics.median(seconds) if seconds else None
