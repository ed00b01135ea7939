"""Prefect's API as the tests ask it."""

import contextlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

from tests.pipeline.workers.machines import Machines, wait_for
from tests.pipeline.workers.project import Project


@contextlib.contextmanager
def with_api(machines: Machines) -> Iterator["Api"]:
    """Prefect's API of these machines, asked from this process."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: machines.url}):
        api = Api()
        with api.client:
            yield api


class Api:
    """What the tests ask of Prefect."""

    def __init__(self) -> None:
        from prefect.client.orchestration import get_client

        self.client = get_client(sync_client=True)

    def coordinate(self, project: Project, **parameters: Any) -> UUID:
        deployment = self.client.read_deployment_by_name("coordinate/coordinate")
        values = {"repository": str(project.origin), **parameters}
        return self.client.create_flow_run_from_deployment(deployment.id, parameters=values).id

    def coordinate_now(self, project: Project) -> UUID:
        """Start one beside others, although the deployment allows one at a time."""
        one = self.client.read_deployment_by_name("coordinate/coordinate")
        other = self.client.create_deployment(
            one.flow_id,
            f"beside-{uuid4().hex[:6]}",
            entrypoint=one.entrypoint,
            pull_steps=[],
            work_pool_name="cpu",
            job_variables=one.job_variables,
            parameters={"repository": str(project.origin), "ref": "main"},
        )
        return self.client.create_flow_run_from_deployment(other).id

    def cancel_scheduled(self, flow: str) -> None:
        """Cancel every run of a flow that has not begun."""
        from prefect.client.schemas.filters import FlowFilter, FlowFilterName
        from prefect.states import Cancelled

        for found in self.client.read_flow_runs(flow_filter=FlowFilter(name=FlowFilterName(any_=[flow]))):
            if found.state and found.state.is_scheduled():
                self.client.set_flow_run_state(found.id, Cancelled(), force=True)

    def cancel_all(self) -> None:
        """End every run that has not ended; its processes notice and go."""
        from prefect.states import Cancelled

        for found in self.client.read_flow_runs():
            if found.state and not found.state.is_final():
                self.client.set_flow_run_state(found.id, Cancelled(), force=True)

    def overheads(self, project: Project) -> dict[str, float]:
        """Seconds of each stage's run, from asking for it to its end, that were not the stage's own."""
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

        found = FlowRunFilter(tags=FlowRunFilterTags(all_=[f"stage:{stage}"]))
        return list(self.client.read_flow_runs(flow_run_filter=found))
