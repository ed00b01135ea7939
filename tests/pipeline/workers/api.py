"""Prefect's API as the tests use it."""

import contextlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

from tests.pipeline.processes import wait_for
from tests.pipeline.workers.machines import LOGIN, Machines
from tests.pipeline.workers.toy_project import ToyProject


@contextlib.contextmanager
def with_api(machines: Machines) -> Iterator["Api"]:
    """A client of these machines' Prefect server."""
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: machines.url, PREFECT_API_AUTH_STRING: LOGIN}):
        api = Api()
        with api.client:
            yield api


class Api:
    """Requests to Prefect's API."""

    def __init__(self) -> None:
        from prefect.client.orchestration import get_client

        self.client = get_client(sync_client=True)

    def coordinate(self, project: ToyProject, **parameters: Any) -> UUID:
        deployment = self.client.read_deployment_by_name("coordinate/coordinate")
        values = {"repository": str(project.origin), **parameters}
        return self.client.create_flow_run_from_deployment(deployment.id, parameters=values).id

    def coordinate_now(self, project: ToyProject) -> UUID:
        """Start a coordinator beside others, although the deployment allows one at a time."""
        original = self.client.read_deployment_by_name("coordinate/coordinate")
        copy = self.client.create_deployment(
            original.flow_id,
            f"beside-{uuid4().hex[:6]}",
            entrypoint=original.entrypoint,
            pull_steps=[],
            work_pool_name="cpu",
            job_variables=original.job_variables,
            parameters={"repository": str(project.origin), "ref": "main"},
        )
        return self.client.create_flow_run_from_deployment(copy).id

    def cancel_scheduled(self, flow: str) -> None:
        """Cancel every run of a flow that has not started."""
        from prefect.client.schemas.filters import FlowFilter, FlowFilterName
        from prefect.states import Cancelled

        for run in self.client.read_flow_runs(flow_filter=FlowFilter(name=FlowFilterName(any_=[flow]))):
            if run.state and run.state.is_scheduled():
                self.client.set_flow_run_state(run.id, Cancelled(), force=True)

    def cancel_all(self) -> None:
        """Cancel every active run; its processes then stop by themselves."""
        from prefect.states import Cancelled

        for run in self.client.read_flow_runs():
            if run.state and not run.state.is_final():
                self.client.set_flow_run_state(run.id, Cancelled(), force=True)

    def overheads(self, project: ToyProject) -> dict[str, float]:
        """Seconds of each stage's flow run, from submission to end, without those of the stage's own command."""
        own = {event["stage"]: event["time"] - event["begun"] for event in project.events("end")}
        runs = {stage: self.stage_runs(stage)[0] for stage in own}
        return {
            stage: round((run.end_time - run.created).total_seconds() - own[stage], 1) for stage, run in runs.items()
        }

    def state(self, run_id: UUID) -> Any:
        return self.client.read_flow_run(run_id).state

    def end(self, run_id: UUID, seconds: float = 400.0) -> Any:
        """The final state."""

        def final() -> Any:
            with contextlib.suppress(Exception):
                state = self.state(run_id)
                return state if state.is_final() else None

        final.__qualname__ = f"the end of run {run_id}"
        return wait_for(final, seconds)

    def stage_runs(self, stage: str) -> list[Any]:
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags

        run_filter = FlowRunFilter(tags=FlowRunFilterTags(all_=[f"stage:{stage}"]))
        return list(self.client.read_flow_runs(flow_run_filter=run_filter))

    def children(self, run_id: UUID) -> list[Any]:
        """The subflow runs of a flow run, as Prefect's UI lists them."""
        from prefect.client.schemas.filters import FlowRunFilter

        of_parent = FlowRunFilter.model_validate({"parent_flow_run_id": {"any_": [run_id]}})
        return list(self.client.read_flow_runs(flow_run_filter=of_parent))

    def logs(self, run_id: UUID) -> list[str]:
        """The log lines of a flow run."""
        from prefect.client.schemas.filters import LogFilter

        of_run = LogFilter.model_validate({"flow_run_id": {"any_": [run_id]}})
        return [line.message for line in self.client.read_logs(log_filter=of_run)]
