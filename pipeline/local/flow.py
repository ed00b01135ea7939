"""Prefect runs what DVC decides: one task run per stage, as soon as its parents are done.

DVC's lock and run-cache are the only cache, so no task has one (NO_CACHE). After each stage the plan is made again: an
upstream that comes out identical leaves everything below it fresh, which Prefect shows as `Cached`.
"""

import json
import queue
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal
from prefect.futures import PrefectFuture, wait
from prefect.states import Cancelled, Completed, Failed

from pipeline import recipes
from pipeline.execution import listener, workspace
from pipeline.execution.runner import Runner
from pipeline.execution.stage_process import Outcome
from pipeline.local import artifacts
from pipeline.repository.project import Project
from pipeline.repository.results import read_metrics
from stages.errors import RetuneError

RETRY_DELAY = 2.0  # seconds before a stage that the machine stopped is tried again


@flow(name="retrain", validate_parameters=True)
def retrain(
    params: dict[str, Any] | None = None,
    targets: list[str] | None = None,
    recipe: str | None = None,
    refresh: bool = False,
    jobs: int = 1,
    wait_for_others: bool = False,
) -> State[Any]:
    """Bring the stages up to date in the current folder, running only what a change affects.

    Args:
        params: Other values by full key, such as `{"finetune.learning_rate": 3e-5}`; they are written to params.yaml.
        targets: Stages to bring up to date, with all that they need; none: all stages.
        recipe: Write params.yaml anew from this recipe first.
        refresh: Fetch the data and the encoder again; where the bytes are the same, nothing follows.
        jobs: How many stages may run at once; of those in pool `gpu` one per GPU.
        wait_for_others: Wait for another run in this folder instead of failing.
    """
    root = Path.cwd()
    try:
        with workspace.hold(root, wait=wait_for_others):
            _write_params(root, params or {}, recipe)
            return _run(Runner(root, targets=targets or (), refresh=refresh, jobs=jobs))
    except RetuneError as error:
        return _conclude(Failed(message=" ".join(str(error).split())))


@task(cache_policy=NO_CACHE, persist_result=False)
def run_stage(runner: Runner, stage: str) -> State[Any]:
    """Run one stage, or let DVC restore it, with its lines in Prefect's log."""
    log, hear = get_run_logger(), listener.current.get()

    def read(line: str) -> None:
        log.info(line)
        hear.said(stage, line)

    outcome = runner.run(stage, read)
    hear.ended(outcome)
    if outcome.stopped:
        return Cancelled(message=outcome.error)
    if outcome.error:
        return Failed(message=outcome.error, data=outcome)
    if outcome.restored:
        return Completed(name="Cached", message="The result was in DVC's cache.", data=outcome)
    return Completed(message=f"Ran for {outcome.seconds:.1f} s.", data=outcome)


@task(cache_policy=NO_CACHE, persist_result=False)
def show_cached(stage: str) -> State[Any]:
    """Show a stage that nothing has changed for."""
    return Completed(name="Cached", message=f"Nothing has changed for {stage}.")


def _write_params(root: Path, params: Mapping[str, Any], recipe: str | None) -> None:
    overrides = [f"{key}={json.dumps(value)}" for key, value in params.items()]
    text = recipes.changed_params(root, recipe=recipe, overrides=overrides)
    if text is not None:
        recipes.write_params(root, text)


def _run(runner: Runner) -> State[Any]:
    """Start what is ready, wait for one stage to end, plan again; until nothing is left or something failed."""
    before = read_metrics(runner.root)
    with Project(runner.root) as project:
        for name in workspace.prune(runner.root, project):
            get_run_logger().info("Removed %s: no stage owns it any more.", name)
    first, hear = runner.plan(), listener.current.get()
    ended: queue.SimpleQueue[str] = queue.SimpleQueue()
    futures: dict[str, PrefectFuture[Any]] = {}
    cached: dict[str, PrefectFuture[Any]] = {}
    try:
        while True:
            hear.planned(list(runner.plans.values()))
            for stage in set(runner.fresh()) - set(cached):
                cached[stage] = show_cached.with_options(name=stage, task_run_name=stage).submit(stage)
            for stage in runner.start_ready():
                hear.started(runner.plans[stage])
                futures[stage] = _submit(runner, stage)
                futures[stage].add_done_callback(partial(_announce, ended, stage))
            if not runner.running:
                break
            name = ended.get()
            runner.finished(name, _outcome(runner, name, futures[name]))
    except BaseException as error:  # Ctrl-C, SIGTERM, a cancelled flow run: nothing may go on behind our back
        runner.stop()
        wait(list(futures.values()))
        if isinstance(error, (KeyboardInterrupt, TerminationSignal)):
            return _conclude(Cancelled(message=f"Stopped while these ran: {', '.join(sorted(runner.running))}"))
        raise
    wait(list(cached.values()))
    state = _conclude(_final_state(runner))
    try:
        artifacts.publish(runner.root, first, runner.outcomes, before)
    except httpx.HTTPError as error:  # the stages' results are not Prefect's, and nothing of them is lost
        get_run_logger().warning("The artifacts can't be written: %s", error)
    return state


def _conclude(state: State[Any]) -> State[Any]:
    listener.current.get().concluded(state)
    return state


def _announce(ended: "queue.SimpleQueue[str]", stage: str, _: PrefectFuture[Any]) -> None:
    ended.put(stage)


def _submit(runner: Runner, stage: str) -> PrefectFuture[Any]:
    options = run_stage.with_options(
        name=stage,
        task_run_name=stage,
        retries=runner.stage(stage).retries,
        retry_delay_seconds=RETRY_DELAY,
        retry_condition_fn=_is_worth_a_retry,
    )
    return options.submit(runner, stage)


def _is_worth_a_retry(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Another try helps where the machine stopped the stage, and never where the stage itself said no."""
    outcome = state.result(raise_on_failure=False)
    return isinstance(outcome, Outcome) and not outcome.own_error and not outcome.stopped


def _outcome(runner: Runner, stage: str, future: PrefectFuture[Any]) -> Outcome:
    future.wait()  # its callback is called a moment before its state is there
    state = future.state
    outcome = state.result(raise_on_failure=False)
    if isinstance(outcome, Outcome):
        return outcome
    return Outcome(stage, 0.0, runner.root, error=state.message or f"{stage} ended as {state.name}", stopped=True)


def _final_state(runner: Runner) -> State[Any]:
    if runner.failures:
        failures = [f"{outcome.stage}: {outcome.error} (log: {outcome.log})" for outcome in runner.failures]
        return Failed(message="; ".join(failures))
    ran = [name for name, outcome in runner.outcomes.items() if not outcome.restored]
    restored = [name for name, outcome in runner.outcomes.items() if outcome.restored]
    parts = [f"{what} {', '.join(names)}" for what, names in (("ran", ran), ("restored", restored)) if names]
    return Completed(message="; ".join(parts) or "nothing had to run")
