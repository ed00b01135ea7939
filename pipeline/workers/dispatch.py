"""Sends stages to work pools through Prefect's API, and adopts those that are running already."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling, Crashed

from pipeline.workers.heartbeat import patient, touch
from stages.errors import PipelineError

LINEAGE = "lineage:"  # tag of a coordinator that goes on for a crashed one, with the first one's id
RUN_STAGE = "run-stage"  # the flow's name; its deployments are named after the pools
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sent:
    """A flow run of `run-stage`.

    Attributes:
        own: We asked for it; else another coordinator did, and it is not ours to cancel.
    """

    run_id: UUID
    own: bool


class Workers(Protocol):
    """What a coordinator needs of a `Dispatcher`."""

    def send(self, stage: str, *, pool: str, key: str, parameters: dict[str, Any]) -> Sent:
        """Have a stage run."""

    def look(self, run_ids: Sequence[UUID]) -> dict[UUID, FlowRun]:
        """The runs as they are now."""

    def touch(self, run_id: UUID) -> None:
        """Write something to a run; come back when that has been done."""

    def give_up(self, run_id: UUID, cause: str) -> None:
        """Say that a run is lost."""

    def cancel(self, run_id: UUID) -> None:
        """Have a run stopped."""


class Dispatcher:
    """One coordinator's way to the workers.

    Args:
        client: Prefect's API.
        coordinator: Id of the coordinator's flow run; of the first one, where it was started again.
    """

    def __init__(self, client: SyncPrefectClient, coordinator: str) -> None:
        self._client = client
        self._mark = f"by:{coordinator}"

    def send(self, stage: str, *, pool: str, key: str, parameters: Mapping[str, Any]) -> Sent:
        """Have a stage run, or adopt the run that is doing it.

        The idempotency key holds the stage's inputs and the number of earlier tries, so two coordinators that ask in
        the same moment get the same run.

        Raises:
            PipelineError: There is no deployment for the pool.
        """
        return patient(lambda: self._send(stage, pool=pool, key=key, parameters=parameters))

    def look(self, run_ids: Iterable[UUID]) -> dict[UUID, FlowRun]:
        """The runs as they are now; raises what the client raises when the API is away."""
        wanted = FlowRunFilter(id=FlowRunFilterId(any_=list(run_ids)))
        return {run.id: run for run in self._client.read_flow_runs(flow_run_filter=wanted)}

    def touch(self, run_id: UUID) -> None:
        """Write something to a run, as its own signs of life are written."""
        touch(self._client, run_id)

    def give_up(self, run_id: UUID, cause: str) -> None:
        """Say that a run is lost; should its process live after all, it ends itself."""
        patient(lambda: self._client.set_flow_run_state(run_id, Crashed(message=cause), force=True))

    def cancel(self, run_id: UUID) -> None:
        """Have a run stopped."""
        try:
            self._client.set_flow_run_state(run_id, Cancelling(message="Its coordinator was cancelled"), force=False)
        except ObjectNotFound:
            log.debug("Run %s is gone already.", run_id)

    def _send(self, stage: str, *, pool: str, key: str, parameters: Mapping[str, Any]) -> Sent:
        earlier = self._client.read_flow_runs(
            flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=[f"key:{key}"]))
        )
        for run in earlier:
            if run.state and not run.state.is_final() and not run.state.is_cancelling():
                return self._sent(run)
        try:
            deployment = self._client.read_deployment_by_name(f"{RUN_STAGE}/{pool}")
        except ObjectNotFound as error:
            raise PipelineError(
                f"{stage} wants the pool {pool}, but there is no deployment {RUN_STAGE}/{pool}. Add it to prefect.yaml "
                "and make it with: retune deploy"
            ) from error
        run = self._client.create_flow_run_from_deployment(
            deployment.id,
            parameters=dict(parameters),
            name=stage,
            tags=["retune", f"key:{key}", f"stage:{stage}", self._mark],
            idempotency_key=f"{key}:{len(earlier)}",
        )
        return self._sent(run)

    def _sent(self, run: FlowRun) -> Sent:
        return Sent(run.id, own=self._mark in run.tags)
