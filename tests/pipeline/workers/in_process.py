"""A coordinator without Prefect: every stage runs in this process as soon as it is submitted."""

import uuid
from collections.abc import Sequence
from typing import Any

from prefect.client.schemas.objects import FlowRun

from pipeline.repository import git
from pipeline.repository.storage.remote import Remote
from pipeline.workers import checkout
from pipeline.workers.coordinator import Coordinator
from pipeline.workers.dispatch import Submission
from pipeline.workers.publishing import publish, pull_request, records
from pipeline.workers.stage_run import StageRequest, StageResult, StageRun


class InProcessDispatcher:
    """Runs a stage in this process when it is submitted.

    Attributes:
        requests: Every request, in order.
        pools: The pool that each stage was submitted to.
    """

    def __init__(self) -> None:
        self.requests: list[StageRequest] = []
        self.pools: dict[str, str] = {}
        self._results: dict[uuid.UUID, StageResult] = {}

    @property
    def stages(self) -> list[str]:
        """The stages that were submitted, in order."""
        return [request.stage for request in self.requests]

    def submit(self, stage: str, *, pool: str, key: str, parameters: dict[str, Any]) -> Submission:
        run_id = uuid.uuid4()
        self.requests.append(StageRequest(**parameters))
        self.pools[stage] = pool
        self._results[run_id] = StageRun(self.requests[-1]).run(lambda _: None)
        return Submission(run_id, own=True)

    def read_runs(self, run_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, FlowRun]:
        from pipeline.workers.flows import final_state

        return {
            run_id: FlowRun(id=run_id, flow_id=uuid.uuid4(), state=final_state(self._results[run_id]))
            for run_id in run_ids
        }

    def write_probe(self, run_id: uuid.UUID) -> None:
        raise AssertionError(run_id)

    def mark_crashed(self, run_id: uuid.UUID, cause: str) -> None:
        raise AssertionError(f"{run_id}: {cause}")

    def cancel(self, run_id: uuid.UUID) -> None:
        raise AssertionError(run_id)


def coordinate(
    project: Any, dispatcher: InProcessDispatcher, *, ref: str = "main", refresh: bool = False, **params: Any
) -> tuple[str, str] | None:
    """Do what the flow `coordinate` does; return the branch and its message, or None if nothing differs."""
    repository = str(project.origin)
    base = git.resolve_remote(repository, ref)
    with checkout.slot(repository, base, kind="coordinator") as root:
        overrides = {name.replace("__", "."): value for name, value in params.items()}
        commit = publish.commit_params(root, repository, overrides) if overrides else base
        coordinator = Coordinator(
            root,
            repository=repository,
            commit=commit,
            dispatcher=dispatcher,
            refresh=refresh,  # type: ignore[arg-type]
        )
        coordinator.run()
        with Remote(root) as remote:
            changed = records.write_results(root, coordinator.graph, coordinator.plans, remote)
        text = publish.commit_results(root, base=base, graph=coordinator.graph, changed=changed)
        if text is None:
            return None
        branch = publish.push_results(root, repository, base=base)
        pull_request.open_pull_request(root, repository, branch, text)
        return branch, text
