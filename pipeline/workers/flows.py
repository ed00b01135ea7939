"""The Prefect flows of a pipeline across machines: `coordinate` plans and writes git, `run-stage` does one stage."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run as this_run
from prefect.states import Cancelled, Completed, Failed

from pipeline.planning.plan import StagePlan
from pipeline.repository import git
from pipeline.repository.remote import Remote
from pipeline.workers import checkout, heartbeat, publish
from pipeline.workers.coordinator import DAMAGED, SAID_NO, Coordinator, StoppedError, Tally
from pipeline.workers.dispatch import LINEAGE, RUN_STAGE, Dispatcher
from pipeline.workers.stage_run import Job, StageRun
from stages.errors import RetuneError

COORDINATE = "coordinate"
STATES = {"said no": SAID_NO, "damaged": DAMAGED, "missing": "InputMissing", "machine": "MachineFailed"}


@flow(name=RUN_STAGE, validate_parameters=True, persist_result=False)
def run_stage(
    repository: str, commit: str, stage: str, key: str, inputs: dict[str, str], refresh: bool = False
) -> State[Any]:
    """Run one stage of one commit in a clean checkout, and record it in the DVC remote.

    Args:
        repository: URL of the git repository; this machine's RETUNE_REPOSITORY wins.
        commit: Full SHA.
        stage: Name in dvc.yaml.
        key: The stage's run-cache key: its command, its parameters and the hash of every input.
        inputs: Outputs of other stages that it reads: path -> MD5.
        refresh: Run it even where it is recorded, and replace the record.
    """
    run = StageRun(Job(os.environ.get("RETUNE_REPOSITORY") or repository, commit, stage, key, inputs, refresh))
    with heartbeat.beating(_own_id(), run.stop):
        ending = run.run(get_run_logger().info)
    if ending.kind == "stopped":
        return Cancelled(message=ending.message)
    if ending.kind == "cached":
        return Completed(name="Cached", message=ending.message)
    if ending.kind == "done":
        return Completed(message=ending.message)
    return Failed(name=STATES[ending.kind], message=ending.message)


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
        repository: URL of the git repository; this machine's RETUNE_REPOSITORY wins.
        ref: Branch, tag or full SHA to start from; it is never pushed to.
        params: Other values by full key, such as `{"finetune.learning_rate": 3e-5}`; they are committed first.
        targets: Stages to bring up to date, with all that they need; none: all.
        refresh: Fetch the data and the encoder again; where the bytes are the same, nothing follows.
    """
    repository = os.environ.get("RETUNE_REPOSITORY") or repository
    try:
        base = git.resolve_remote(repository, ref)
        with checkout.slot(repository, base, kind="coordinator") as root, get_client(sync_client=True) as client:
            overrides = {key: json.dumps(value) for key, value in (params or {}).items()}
            commit = publish.commit_params(root, repository, overrides) if overrides else base
            coordinator = Coordinator(
                root,
                repository=repository,
                commit=commit,
                workers=Dispatcher(client, _lineage()),
                targets=targets or (),
                refresh=refresh,
            )
            first = _run(coordinator, client)
            return _finish(root, repository, base, coordinator, first)
    except StoppedError as error:
        return Cancelled(message=str(error))
    except RetuneError as error:
        return Failed(message=" ".join(str(error).split()))


def _run(coordinator: Coordinator, client: SyncPrefectClient) -> list[StagePlan]:
    """Wait for every stage; when this run is cancelled, what it has sent is cancelled too."""
    with heartbeat.beating(_own_id(), coordinator.stop):
        try:
            return coordinator.run()
        except BaseException:  # also a signal: only a cancelled run takes its stages with it, another is taken over
            state = client.read_flow_run(_own_id()).state
            if state and (state.is_cancelling() or state.is_cancelled()):
                coordinator.cancel()
            raise


def _finish(root: Path, repository: str, base: str, coordinator: Coordinator, first: Sequence[StagePlan]) -> State[Any]:
    with Remote(root) as remote:
        changed = publish.write_results(root, coordinator.graph, coordinator.plans, remote)
    pushed = publish.publish(root, repository, base=base, graph=coordinator.graph, changed=changed)
    _show(first, coordinator.tallies)
    ran = f"ran {', '.join(coordinator.tallies)}" if coordinator.tallies else "nothing had to run"
    if pushed is None:
        return Completed(message=f"{ran}; nothing differs from {base[:12]}")
    name, text = pushed
    create_markdown_artifact(text, key="pull-request", description=f"Branch {name}")
    publish.open_pull_request(root, name, text)
    return Completed(message=f"{ran}; results in the branch {name}")


def _show(first: Sequence[StagePlan], tallies: Mapping[str, Tally]) -> None:
    rows = [
        {
            "stage": plan.stage,
            "planned": plan.state,
            "why": "; ".join(plan.as_json()["reasons"]),
            "happened": "ran" if plan.stage in tallies else "nothing to do",
            "seconds": round(tallies[plan.stage].seconds, 1) if plan.stage in tallies else None,
        }
        for plan in first
    ]
    create_table_artifact(rows, key="plan", description="The plan, and what happened")


def _own_id() -> UUID:
    return UUID(str(this_run.id))


def _lineage() -> str:
    """Whose stages are ours: a coordinator that was started again owns what its predecessor has sent."""
    marks = (tag.removeprefix(LINEAGE) for tag in this_run.tags if tag.startswith(LINEAGE))
    return next(marks, str(_own_id()))
