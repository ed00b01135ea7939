"""The part of Prefect's API that dispatcher and reconciler use, in memory."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.exceptions import ObjectNotFound
from prefect.states import Scheduled, State


class FakeServer:
    """Flow runs by idempotency key."""

    def __init__(self, pools: tuple[str, ...] = ("cpu",)) -> None:
        self.pools = pools
        self.runs: dict[str, FlowRun] = {}
        self.task_runs: dict[tuple[uuid.UUID, str], TaskRun] = {}
        self._now = datetime(2024, 1, 1, tzinfo=UTC)

    def read_flow_runs(
        self, flow_run_filter: Any = None, flow_filter: Any = None, limit: int = 200, offset: int = 0
    ) -> list[FlowRun]:
        tags = flow_run_filter.tags.all_ if flow_run_filter.tags else []
        ids = flow_run_filter.id.any_ if flow_run_filter.id else [run.id for run in self.runs.values()]
        found = [run for run in self.runs.values() if set(tags) <= set(run.tags) and run.id in ids]
        return sorted(found, key=lambda run: run.id)[offset : offset + limit]

    def read_deployment_by_name(self, name: str) -> Any:
        if name.partition("/")[2] not in self.pools:
            raise ObjectNotFound(RuntimeError(name))
        return FlowRun(flow_id=uuid.uuid4())

    def create_flow_run_from_deployment(self, deployment_id: Any, *, idempotency_key: str, **fields: Any) -> FlowRun:
        self._now += timedelta(seconds=1)
        run = FlowRun(flow_id=uuid.uuid4(), deployment_id=deployment_id, state=Scheduled(), created=self._now, **fields)
        return self.runs.setdefault(idempotency_key, run)

    def delete_flow_run(self, run_id: uuid.UUID) -> None:
        self.runs = {key: run for key, run in self.runs.items() if run.id != run_id}

    def create_task_run(self, task: Any, flow_run_id: uuid.UUID, dynamic_key: str, **fields: Any) -> TaskRun:
        made = TaskRun(flow_run_id=flow_run_id, task_key=task.task_key, dynamic_key=dynamic_key, **fields)
        return self.task_runs.setdefault((flow_run_id, dynamic_key), made)

    def delete_task_run(self, task_run_id: uuid.UUID) -> None:
        self.task_runs = {key: run for key, run in self.task_runs.items() if run.id != task_run_id}

    def update_flow_run_labels(self, run_id: uuid.UUID, labels: dict[str, str]) -> None:
        next(run for run in self.runs.values() if run.id == run_id).labels.update(labels)

    def set_flow_run_state(self, run_id: uuid.UUID, state: State, force: bool = False) -> None:
        next(run for run in self.runs.values() if run.id == run_id).state = state
