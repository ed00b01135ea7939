"""A coordinator and workers without Prefect: each stage is done in this process, where it is sent."""

import uuid
from collections.abc import Sequence
from typing import Any

from prefect.client.schemas.objects import FlowRun
from prefect.states import Completed, Failed

from pipeline.repository import git
from pipeline.repository.remote import Remote
from pipeline.workers import checkout, publish
from pipeline.workers.coordinator import Coordinator
from pipeline.workers.dispatch import Sent
from pipeline.workers.stage_run import Ending, Job, StageRun


class Here:
    """Workers that do a stage at once, where they are asked."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.pools: dict[str, str] = {}
        self.endings: dict[uuid.UUID, Ending] = {}

    def send(self, stage: str, *, pool: str, key: str, parameters: dict[str, Any]) -> Sent:
        run_id = uuid.uuid4()
        self.jobs.append(Job(**parameters))
        self.pools[stage] = pool
        self.endings[run_id] = StageRun(self.jobs[-1]).run(lambda _: None)
        return Sent(run_id, own=True)

    def look(self, run_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, FlowRun]:
        return {run_id: self._run(run_id, self.endings[run_id]) for run_id in run_ids}

    def touch(self, run_id: uuid.UUID) -> None:
        raise AssertionError(run_id)

    def give_up(self, run_id: uuid.UUID, cause: str) -> None:
        raise AssertionError(f"{run_id}: {cause}")

    def cancel(self, run_id: uuid.UUID) -> None:
        raise AssertionError(run_id)

    @staticmethod
    def _run(run_id: uuid.UUID, ending: Ending) -> FlowRun:
        from pipeline.workers.flows import STATES

        good = ending.kind in ("done", "cached")
        state = Completed() if good else Failed(name=STATES[ending.kind], message=ending.message)
        return FlowRun(id=run_id, flow_id=uuid.uuid4(), state=state)


def coordinate(
    project: Any, workers: Here, *, ref: str = "main", refresh: bool = False, **params: str
) -> tuple[str, str] | None:
    base = git.resolve_remote(str(project.origin), ref)
    with checkout.slot(str(project.origin), base, kind="coordinator") as root:
        names = {name.replace("__", "."): value for name, value in params.items()}
        commit = publish.commit_params(root, str(project.origin), names) if names else base
        coordinator = Coordinator(root, repository=str(project.origin), commit=commit, workers=workers, refresh=refresh)
        coordinator.run()
        with Remote(root) as remote:
            changed = publish.write_results(root, coordinator.graph, coordinator.plans, remote)
        return publish.publish(root, str(project.origin), base=base, graph=coordinator.graph, changed=changed)
