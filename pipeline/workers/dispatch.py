"""Submits stages to work pools through Prefect's API, and adopts runs that another coordinator submitted."""

import contextlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling, Crashed, Pending
from prefect.tasks import Task
from prefect.utilities.urls import url_for

from pipeline.workers.liveness.monitor import write_probe
from pipeline.workers.prefect_api import (
    UNREACHABLE,
    RejectedError,
    read_all_runs,
    retry_while_unreachable,
    telling_answers,
)
from stages.errors import PipelineError

LINEAGE_TAG = "lineage:"  # on a restarted coordinator; holds the flow run id of the first one
OWNER_TAG = "by:"  # on the run of a stage; holds the flow run id of the (first) coordinator
STAGE_TAG = "stage:"  # holds the stage's name
RUN_STAGE = "run-stage"  # name of the flow; its deployments are named after the pools
OLDEST = datetime.min.replace(tzinfo=UTC)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Submission:
    """A flow run of `run-stage` that a coordinator waits for.

    Attributes:
        own: This coordinator submitted it; otherwise another one did, and only that one may cancel it.
    """

    run_id: UUID
    own: bool

    @property
    def address(self) -> str:
        """The address of the run in Prefect's UI; its id where Prefect knows no UI."""
        return url_for("flow-run", self.run_id) or f"the flow run {self.run_id}"


class Dispatcher:
    """Submits, reads and ends the runs of stages for one coordinator.

    Args:
        client: Prefect's API.
        run_id: The coordinator's flow run; the runs of its stages are linked to it as subflow runs.
        first_run_id: The same, but after a restart that of the first one, which owns what it submitted.
    """

    def __init__(self, client: SyncPrefectClient, run_id: UUID, first_run_id: UUID) -> None:
        self._client = client
        self._run_id = run_id
        self._own_tag = f"{OWNER_TAG}{first_run_id}"

    def submit(self, stage: str, *, pool: str, key: str, parameters: Mapping[str, Any]) -> Submission:
        """Submit a stage, or adopt the run that already works on the same key.

        The idempotency key holds `key` and the id of the newest earlier run, so two coordinators that submit at the
        same moment get the same run. The number of earlier runs would not do: it falls when somebody deletes one.

        Args:
            stage: Name in dvc.yaml.
            pool: The work pool.
            key: Identifies the work: the stage's run-cache key.
            parameters: Of the flow `run-stage`.

        Raises:
            PipelineError: There is no deployment for the pool, or Prefect's API refuses the run.
        """
        try:
            return retry_while_unreachable(lambda: self._submit(stage, pool=pool, key=key, parameters=parameters))
        except ObjectNotFound as error:
            raise PipelineError(
                f"{stage} could not be submitted: this run or the deployment {RUN_STAGE}/{pool} was deleted. Run: "
                "retune deploy. Then start a new run."
            ) from error

    def read_runs(self, run_ids: Iterable[UUID]) -> dict[UUID, FlowRun]:
        """The flow runs as Prefect has them now; raises the client's own error where the API is unreachable."""
        run_filter = FlowRunFilter(id=FlowRunFilterId(any_=list(run_ids)))
        return {run.id: run for run in read_all_runs(self._client, flow_run_filter=run_filter)}

    def write_probe(self, run_id: UUID) -> None:
        """Write a label to a run in the same way as its heartbeats are written."""
        write_probe(self._client, run_id)

    def mark_crashed(self, run_id: UUID, cause: str) -> None:
        """Set a run to Crashed, unless it was deleted; a process that is still alive reads this state and stops."""
        with contextlib.suppress(ObjectNotFound):
            retry_while_unreachable(lambda: self._client.set_flow_run_state(run_id, Crashed(message=cause), force=True))

    def cancel(self, run_id: UUID) -> None:
        """Cancel a run; where Prefect's API does not, the log says so."""
        try:
            with telling_answers():
                self._client.set_flow_run_state(
                    run_id, Cancelling(message="Its coordinator was cancelled"), force=False
                )
        except ObjectNotFound:
            log.debug("The flow run %s was deleted.", run_id)
        except (RejectedError, *UNREACHABLE) as error:
            log.warning("The flow run %s could not be cancelled: %s", run_id, error)

    def _submit(self, stage: str, *, pool: str, key: str, parameters: Mapping[str, Any]) -> Submission:
        same_key = FlowRunFilter(tags=FlowRunFilterTags(all_=[f"key:{key}"]))
        earlier = read_all_runs(self._client, flow_run_filter=same_key)
        for run in earlier:
            if not _is_ended(run):
                return self._submission(run)
        try:
            with telling_answers():
                deployment = self._client.read_deployment_by_name(f"{RUN_STAGE}/{pool}")
        except ObjectNotFound as error:
            raise PipelineError(
                f"{stage} needs the work pool {pool}, but there is no deployment {RUN_STAGE}/{pool}. Add it to "
                "prefect.yaml, then run: retune deploy"
            ) from error
        before = max(earlier, key=lambda run: run.created or OLDEST, default=None)
        while True:
            attempt = f"{key}:after {before.id}" if before else f"{key}:first"
            link = self._link(stage, attempt)
            run = self._client.create_flow_run_from_deployment(
                deployment.id,
                parameters=dict(parameters),
                name=stage,
                tags=["retune", f"key:{key}", f"{STAGE_TAG}{stage}", self._own_tag],
                idempotency_key=attempt,
                parent_task_run_id=link,
            )
            if run.parent_task_run_id != link:  # another coordinator was faster: the run is linked to that one
                self._client.delete_task_run(link)
            if not _is_ended(run):
                return self._submission(run)
            before = run  # Prefect knew this idempotency key, and its run has ended: submit the one after it

    def _link(self, stage: str, attempt: str) -> UUID:
        """The task run in the coordinator that stands for the run of a stage and takes its states.

        Prefect's `run_deployment` links subflow runs in this way. Asked again, it gives the same one.
        """
        placeholder = Task(lambda: None, name=RUN_STAGE)
        placeholder.task_key = RUN_STAGE
        return self._client.create_task_run(placeholder, self._run_id, attempt, name=stage, state=Pending()).id

    def _submission(self, run: FlowRun) -> Submission:
        return Submission(run.id, own=self._own_tag in run.tags)


def _is_ended(run: FlowRun) -> bool:
    """Whether a run has ended or is being cancelled, so that it can't be adopted."""
    return run.state is not None and (run.state.is_final() or run.state.is_cancelling())
