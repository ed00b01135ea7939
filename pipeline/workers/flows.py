"""The Prefect flows across machines: `coordinate` plans one commit and pushes its results, `run-stage` runs a stage."""

import contextlib
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed

from pipeline.repository import git
from pipeline.repository.storage.remote import Remote
from pipeline.workers import checkout
from pipeline.workers.attempts import INPUT_DAMAGED, STAGE_FAILED
from pipeline.workers.coordinator import Coordinator, StoppedError, check_not_ended
from pipeline.workers.dispatch import LINEAGE_TAG, RUN_STAGE, Dispatcher
from pipeline.workers.liveness.heartbeat import sending_heartbeats
from pipeline.workers.prefect_api import UNREACHABLE, RejectedError, retry_while_unreachable, telling_answers
from pipeline.workers.progress import ProgressArtifact
from pipeline.workers.publishing import publish, pull_request, records
from pipeline.workers.stage_run import StageRequest, StageResult, StageRun
from stages.errors import PipelineError, RetuneError, explain
from stages.redaction import holds_secret, redact_output, without_credentials

COORDINATE = "coordinate"
log = logging.getLogger(__name__)
FAILURES = {  # status of a stage -> name of Prefect's state
    "stage error": STAGE_FAILED,
    "machine error": "MachineFailed",
    "input missing": "InputMissing",
    "input damaged": INPUT_DAMAGED,
}


@flow(name=RUN_STAGE, validate_parameters=True, persist_result=False)
def run_stage(
    repository: str, commit: str, stage: str, key: str, inputs: dict[str, str], refresh: bool = False
) -> State[Any]:
    """Run one stage of one commit in a clean checkout, and record it in the DVC remote.

    Args:
        repository: URL of the git repository; this machine's RETUNE_REPOSITORY overrides it.
        commit: Full SHA.
        stage: Name in dvc.yaml.
        key: The stage's run-cache key: its command, its parameters and the hash of every input.
        inputs: The outputs of other stages that it reads: path -> MD5.
        refresh: Run it even if it is recorded, and replace the record.
    """
    _start_log()
    repository = os.environ.get("RETUNE_REPOSITORY") or repository
    stage_run = StageRun(StageRequest(repository, commit, stage, key, inputs, refresh))
    with sending_heartbeats(_flow_run_id(), stage_run.stop):
        return final_state(stage_run.run(get_run_logger().info))


def _start_log() -> None:
    """Send this project's log lines from INFO on to the run's log, without secrets.

    PREFECT_LOGGING_EXTRA_LOGGERS gives our logger Prefect's handlers, but no level: the root's, WARNING, would stay.
    """
    logging.getLogger("pipeline").setLevel(logging.INFO)
    redact_output()


def final_state(result: StageResult) -> State[Any]:
    """The Prefect state that says how a stage ended."""
    if result.status == "stopped":
        return Cancelled(message=result.message)
    if result.status == "cached":
        return Completed(name="Cached", message=result.message)
    if result.status == "done":
        return Completed(message=result.message)
    return Failed(name=FAILURES[result.status], message=result.message)


@flow(name=COORDINATE, validate_parameters=True, persist_result=False)
def coordinate(
    repository: str,
    ref: str = "main",
    params: dict[str, Any] | None = None,
    targets: list[str] | None = None,
    refresh: bool = False,
) -> State[Any]:
    """Bring every stage of a commit up to date on the work pools, and push a branch with the results.

    Args:
        repository: URL of the git repository; this machine's RETUNE_REPOSITORY overrides it.
        ref: Branch, tag or full SHA to start from; it is never pushed to.
        params: Values to change, by full key, such as `{"finetune.learning_rate": 3e-5}`; they are committed first.
        targets: Stages to bring up to date, with every stage that they need; none: all.
        refresh: Download the data and the encoder again; other stages run only if the bytes changed.
    """
    _start_log()
    ended = threading.Event()
    try:
        with sending_heartbeats(_flow_run_id(), ended.set):  # from the clone to the pull request, each may take minutes
            return _coordinate(_repository(repository), ref, params or {}, targets or (), refresh, ended)
    except StoppedError as error:
        return Cancelled(message=str(error))
    except (RetuneError, OSError) as error:  # the disk under RETUNE_HOME may be full, or belong to somebody else
        line = explain(error)
        if line is None:
            raise
        return Failed(message=line)


def _coordinate(
    repository: str,
    ref: str,
    params: Mapping[str, Any],
    targets: Sequence[str],
    refresh: bool,
    ended: threading.Event,
) -> State[Any]:
    base = git.resolve_remote(repository, ref)
    with checkout.slot(repository, base, kind="coordinator") as root, get_client(sync_client=True) as client:
        with contextlib.suppress(ObjectNotFound):  # it was deleted: the heartbeats find out
            retry_while_unreachable(lambda: client.update_flow_run(_flow_run_id(), name=run_name(ref, base)))
        check_not_ended(ended)
        commit = publish.commit_params(root, repository, params) if params else base
        coordinator = Coordinator(
            root,
            repository=without_credentials(repository),  # Prefect stores it; a worker has credentials of its own
            commit=commit,
            dispatcher=Dispatcher(client, _flow_run_id(), _first_coordinator_id()),
            targets=targets,
            refresh=refresh,
            show=ProgressArtifact(client, _flow_run_id()).write,
            ended=ended,
        )
        _run(coordinator, client)
        return _publish_results(root, repository, base, coordinator, ended)


def _repository(parameter: str) -> str:
    """The URL of the git repository for this machine: its RETUNE_REPOSITORY, else the flow's parameter."""
    if holds_secret(parameter):
        raise PipelineError(
            f"The parameter repository holds a password: {parameter}. Prefect stores parameters: revoke the password, "
            "and set RETUNE_REPOSITORY on each machine instead (docs/workers.md)."
        )
    return os.environ.get("RETUNE_REPOSITORY") or parameter


def run_name(ref: str, commit: str) -> str:
    """What a coordinator's flow run is called: `main at 1a2b3c4d5e6f`, or the commit alone where the ref is its SHA."""
    return commit[:12] if ref == commit else f"{ref} at {commit[:12]}"


def _run(coordinator: Coordinator, client: SyncPrefectClient) -> None:
    """Run every stage; if this run is cancelled, cancel the stages that it submitted."""
    try:
        coordinator.run()
    except BaseException:  # also a signal; unless it was cancelled, a restarted coordinator adopts the stages
        if _is_cancelled(client):
            coordinator.cancel()
        raise


def _is_cancelled(client: SyncPrefectClient) -> bool:
    """Whether this run was cancelled or deleted, so that nobody wants its stages any more."""
    try:
        with telling_answers():
            state = client.read_flow_run(_flow_run_id()).state
    except ObjectNotFound:
        return True
    except (RejectedError, *UNREACHABLE) as error:  # must not hide why the run ends
        log.warning("Whether this run was cancelled could not be read (%s): its stages run on.", error)
        return False
    return state is not None and (state.is_cancelling() or state.is_cancelled())


def _publish_results(
    root: Path, repository: str, base: str, coordinator: Coordinator, ended: threading.Event
) -> State[Any]:
    with Remote(root) as remote:
        changed = records.write_results(root, coordinator.graph, coordinator.plans, remote)
    text = publish.commit_results(root, base=base, graph=coordinator.graph, changed=changed)
    ran = f"ran {', '.join(coordinator.attempts)}" if coordinator.attempts else "nothing had to run"
    if text is None:
        return Completed(message=f"{ran}; nothing differs from {base[:12]}")
    check_not_ended(ended)
    branch = publish.push_results(root, repository, base=base)
    try:
        create_markdown_artifact(text, key="pull-request", description=f"Branch {branch}")
    except UNREACHABLE as error:  # only Prefect's UI lacks it
        log.warning("The artifact pull-request is not written: %s", error)
    check_not_ended(ended)
    pull_request.open_pull_request(root, repository, branch, text)
    return Completed(message=f"{ran}; the results are in the branch {branch}")


def _flow_run_id() -> UUID:
    return UUID(str(flow_run.id))


def _first_coordinator_id() -> UUID:
    """Id of this run, or of the first coordinator where this run restarts a crashed one and owns its stages."""
    ids = (UUID(tag.removeprefix(LINEAGE_TAG)) for tag in flow_run.tags if tag.startswith(LINEAGE_TAG))
    return next(ids, _flow_run_id())
