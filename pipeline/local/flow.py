"""The Prefect flow `retrain`: one task run per stage, started as soon as the stages that it reads are done.

DVC's lock and run-cache are the only cache, so tasks have none (NO_CACHE). The plan is made again after each stage: if
a stage writes the same bytes as before, the stages below it stay fresh, and Prefect shows them as `Cached`.
"""

import queue
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal
from prefect.futures import PrefectFuture, wait
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed

from pipeline import params_file, recipes
from pipeline.execution import workspace
from pipeline.execution.machine import HOST_LABEL, PROCESS_LABEL, process_name, workspace_name
from pipeline.execution.runner import Runner
from pipeline.execution.stage_process import Outcome
from pipeline.local import artifacts, listener
from pipeline.repository.project import Project
from pipeline.repository.results import read_sound_metrics
from stages.errors import RetuneError, explain
from stages.redaction import redact_output

RETRY_DELAY = 2.0  # seconds


@flow(name="retrain", validate_parameters=True)
def retrain(
    params: dict[str, Any] | None = None,
    targets: list[str] | None = None,
    recipe: str | None = None,
    refresh: bool = False,
    jobs: int = 1,
    wait_for_others: bool = False,
) -> State[Any]:
    """Bring the stages up to date in the current folder; only what a change affects runs.

    Args:
        params: Values to change in params.yaml, by full key, such as `{"finetune.learning_rate": 3e-5}`.
        targets: Stages to bring up to date, with every stage that they need; none: all stages.
        recipe: Write params.yaml from this recipe first.
        refresh: Download the data and the encoder again; other stages run only if the bytes changed.
        jobs: How many stages may run at once; stages in the pool `gpu` run one per GPU.
        wait_for_others: If another run is active in this folder, wait for it instead of failing.
    """
    redact_output()
    root = Path.cwd()
    _show_where(root)
    try:
        with workspace.hold(root, wait=wait_for_others):
            _write_params(root, params or {}, recipe)
            with closing(Runner(root, targets=targets or (), refresh=refresh, jobs=jobs)) as runner:
                return _run(runner)
    except (RetuneError, OSError) as error:
        line = explain(error)
        if line is None:
            raise
        return _report_end(Failed(message=line))


def _show_where(root: Path) -> None:
    """Note the machine, the folder and the process in Prefect, for whoever watches from another machine."""
    with get_client(sync_client=True) as client:
        client.update_flow_run_labels(
            UUID(str(flow_run.id)), {HOST_LABEL: workspace_name(root), PROCESS_LABEL: process_name()}
        )


@task(cache_policy=NO_CACHE, persist_result=False)
def run_stage(runner: Runner, stage: str) -> State[Any]:
    """Run one stage, or let DVC restore it, and send what it writes to Prefect's log."""
    log, display = get_run_logger(), listener.current()

    def read(line: str) -> None:
        log.info(line)
        display.on_stage_output(stage, line)

    outcome = runner.run(stage, read)
    display.on_stage_end(outcome)
    if outcome.stopped:
        return Cancelled(message=outcome.error)
    if outcome.error:
        return Failed(message=outcome.error, data=outcome)
    if outcome.restored:
        return Completed(name="Cached", message="Restored from DVC's cache.", data=outcome)
    return Completed(message=f"Ran for {outcome.seconds:.1f} s.", data=outcome)


@task(cache_policy=NO_CACHE, persist_result=False)
def show_cached(stage: str) -> State[Any]:
    """Record in Prefect that a stage did not have to run."""
    return Completed(name="Cached", message=f"Nothing that {stage} reads has changed.")


def _write_params(root: Path, params: Mapping[str, Any], recipe: str | None) -> None:
    text = recipes.changed_params(root, recipe=recipe, overrides=recipes.override_lines(params))
    if text is not None:
        params_file.write_params(root, text, replace=recipe is not None)


def _run(runner: Runner) -> State[Any]:
    """Start the stages that are ready, wait for one to end, plan again; until none is left or one failed."""
    before = read_sound_metrics(runner.root)
    with Project(runner.root) as project:
        for name in workspace.prune(runner.root, project):
            get_run_logger().info("Removed %s: no stage in dvc.yaml writes it any more.", name)
    first_plan, display = runner.plan(), listener.current()
    ended: queue.SimpleQueue[str] = queue.SimpleQueue()
    futures: dict[str, PrefectFuture[Any]] = {}
    cached: dict[str, PrefectFuture[Any]] = {}
    try:
        while True:
            display.on_plan(list(runner.plans.values()))
            for stage in set(runner.fresh()) - set(cached):
                cached[stage] = show_cached.with_options(name=stage, task_run_name=stage).submit(stage)
            for stage in runner.start_ready():
                display.on_stage_start(runner.plans[stage])
                futures[stage] = _submit(runner, stage)
                futures[stage].add_done_callback(partial(_put_name, ended, stage))
            if not runner.running:
                break
            name = ended.get()
            runner.finished(name, _outcome(runner, name, futures[name]))
    except BaseException as error:  # also Ctrl-C, SIGTERM and cancellation: no stage may outlive the flow
        runner.stop()
        wait(list(futures.values()))
        if isinstance(error, (KeyboardInterrupt, TerminationSignal)):
            return _report_end(Cancelled(message=f"Stopped while running: {', '.join(sorted(runner.running))}"))
        raise
    wait(list(cached.values()))
    state = _report_end(_final_state(runner))
    try:
        artifacts.write_artifacts(runner.root, first_plan, runner.outcomes, before)
    except httpx.HTTPError as error:  # only Prefect's UI lacks them: the stages' outputs are complete
        get_run_logger().warning("The artifacts for Prefect's UI could not be written: %s", error)
    return state


def _report_end(state: State[Any]) -> State[Any]:
    listener.current().on_run_end(state)
    return state


def _put_name(ended: "queue.SimpleQueue[str]", stage: str, _: PrefectFuture[Any]) -> None:
    ended.put(stage)


def _submit(runner: Runner, stage: str) -> PrefectFuture[Any]:
    options = run_stage.with_options(
        name=stage,
        task_run_name=stage,
        retries=runner.stage(stage).retries,
        retry_delay_seconds=RETRY_DELAY,
        retry_condition_fn=_should_retry,
    )
    return options.submit(runner, stage)


def _should_retry(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Retry a stage that was killed or timed out; never one that ended with an error of its own."""
    outcome = state.result(raise_on_failure=False)
    return isinstance(outcome, Outcome) and not outcome.own_error and not outcome.stopped


def _outcome(runner: Runner, stage: str, future: PrefectFuture[Any]) -> Outcome:
    future.wait()  # Prefect calls the callback a moment before the state is set
    state = future.state
    outcome = state.result(raise_on_failure=False)
    if isinstance(outcome, Outcome):
        return outcome
    return Outcome(
        stage, 0.0, runner.root, error=state.message or f"{stage} ended in the state {state.name}", stopped=True
    )


def _final_state(runner: Runner) -> State[Any]:
    if runner.failures:
        failures = [f"{outcome.stage}: {outcome.error} (log: {outcome.log})" for outcome in runner.failures]
        return Failed(message="; ".join(failures))
    ran = [name for name, outcome in runner.outcomes.items() if not outcome.restored]
    restored = [name for name, outcome in runner.outcomes.items() if outcome.restored]
    parts = [f"{verb} {', '.join(names)}" for verb, names in (("ran", ran), ("restored", restored)) if names]
    return Completed(message="; ".join(parts) or "nothing had to run")
