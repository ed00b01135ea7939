"""Decides which stage may start when, and runs it; the flow adds Prefect."""

import os
import subprocess
import threading
from collections.abc import Collection, Iterable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from pipeline.execution import stage_process, workspace
from pipeline.execution.holder import note_expected_end
from pipeline.execution.record import Recording
from pipeline.execution.sources import source_commands
from pipeline.execution.stage_process import LineHandler, Outcome, Running
from pipeline.execution.warm_process import WarmProcess, starts_warm
from pipeline.planning.plan import StagePlan, expected_seconds, make_plan
from pipeline.repository.graph import Graph, Stage
from pipeline.repository.project import Project
from pipeline.repository.storage.damage import make_sound
from stages.errors import PipelineError

THREADS = "OMP_NUM_THREADS"  # of torch, and of the libraries with which it multiplies
UNFINISHED = ("runs", "restored", "pending")


class Runner:
    """The state of one run of the pipeline.

    Args:
        root: The project's folder.
        targets: Stages to bring up to date, with all upstream stages; none: every stage.
        refresh: Run the stages without an upstream stage even if nothing changed.
        jobs: How many stages may run at the same time.

    Attributes:
        plans: The latest plan, by stage.
        running: The stages that are running.
        outcomes: How each stage that was run ended.
    """

    def __init__(self, root: Path, *, targets: Iterable[str] = (), refresh: bool = False, jobs: int = 1) -> None:
        self.root = root
        self.jobs = max(jobs, 1)
        self.plans: dict[str, StagePlan] = {}
        self.running: set[str] = set()
        self.outcomes: dict[str, Outcome] = {}
        self._targets = tuple(targets)
        self._refresh = refresh
        self._graph = Graph((), {})
        self._processes: dict[str, Running] = {}
        self._gpus: dict[str, str] = {}
        self._started: dict[str, Any] = {}  # stage -> the inputs that it ran with
        self._begun: dict[str, StagePlan] = {}  # as planned when it started
        self._unusable: set[str] = set()  # damaged objects of the remote
        self._warm = WarmProcess(root, self._share_of_threads())
        self._stopping = threading.Event()
        self._guard = threading.Lock()

    @cached_property
    def _machine_gpus(self) -> list[str]:
        return list_gpus()  # asks a driver, which may take seconds

    @property
    def failures(self) -> list[Outcome]:
        """The stages that ended with an error."""
        return [outcome for outcome in self.outcomes.values() if outcome.error]

    def plan(self) -> list[StagePlan]:
        """Plan from the workspace as it is now."""
        plans = self._make_plan(self.running)
        self.plans = {plan.stage: plan for plan in plans}
        left = [plan.seconds for plan in plans if plan.state in ("runs", "pending")]
        note_expected_end(self.root, None if None in left else expected_seconds(plans))
        return list(plans)

    def _make_plan(self, running: Collection[str]) -> tuple[StagePlan, ...]:
        with Project(self.root, unusable=self._unusable) as project:
            if self.outcomes and not self.running:  # params.yaml may have lost a seed during the run
                workspace.prune(self.root, project)
            self._graph = project.graph.select(self._targets)
            first = {stage.name for stage in self._graph.stages if not self._graph.parents[stage.name]}
            force = first - set(self.outcomes) if self._refresh else ()
            return make_plan(self._graph, project, force=force, running=running)

    def fresh(self) -> list[str]:
        """The stages that were not run, because they are up to date."""
        return [name for name, plan in self.plans.items() if plan.state == "fresh" and name not in self.outcomes]

    def start_ready(self) -> list[str]:
        """Choose the stages that may start now, mark them as running, and return them."""
        self._keep_warm()
        chosen: list[str] = []
        for stage in self._graph.stages:
            if self.failures or self._stopping.is_set() or len(self.running) >= self.jobs:
                break
            if stage.name in self.running or self.plans[stage.name].state not in ("runs", "restored"):
                continue
            upstream = self._graph.ancestors([stage.name]) - {stage.name}
            if any(self.plans[name].state in UNFINISHED for name in upstream) or not self._take_gpu(stage):
                continue
            if not self._is_first_time(stage):
                break
            self.running.add(stage.name)
            self._begun[stage.name] = self.plans[stage.name]
            chosen.append(stage.name)
        return chosen

    def _keep_warm(self) -> None:
        """Have the warm process run while a stage needs it."""
        left = {name for name, plan in self.plans.items() if plan.state == "runs"} | self.running
        self._warm.keep(any(map(self._starts_warm, left)))

    def close(self) -> None:
        """End what is kept for stages to come."""
        self._warm.end()

    def _is_first_time(self, stage: Stage) -> bool:
        """Whether the stage has not run with these inputs yet; if it has, that is its failure: it would never end."""
        plan = self.plans[stage.name]
        inputs = (stage.cmd, plan.deps, plan.params)
        if self._started.get(stage.name) == inputs:
            error = (
                f"{stage.name} has just run with the same inputs, but would run again: {', '.join(plan.reasons)}. "
                "Another program writes there, or the disk loses what is written: check both, then run again"
            )
            self.outcomes[stage.name] = Outcome(stage.name, 0.0, self.root / stage_process.LOGS, error=error)
            return False
        self._started[stage.name] = inputs
        return True

    def run(self, name: str, on_line: LineHandler) -> Outcome:
        """Run one stage to its end, in the calling thread; `on_line` gets every line that it writes."""
        stage = self.stage(name)
        plan = self._plan_around_damage(stage, on_line)
        failure = self._bring_inputs(stage, on_line)
        if failure and plan.state != "restored":
            return failure
        flags = {"--force": plan.forced, "--pull": plan.where == "remote" or failure}  # DVC restores without data
        options = [flag for flag, wanted in flags.items() if wanted]
        recording = Recording(self.root, plan)
        environment = {**self._share_of_machine(name), **recording.variables()}
        outcome = self._wait_for(name, on_line, options=options, timeout=stage.timeout, environment=environment)
        if not (outcome.error or outcome.restored) and (correction := recording.correct()):
            on_line(correction)
        if outcome.error:
            workspace.end_leftovers(self.root, stage=name)
            if outcome.began:  # else another DVC command may be writing them
                workspace.discard_half_outputs(self.root, name)
        return outcome

    def _bring_inputs(self, stage: Stage, on_line: LineHandler) -> Outcome | None:
        """Put tracked data in its place, and note it in its `.dvc` file where it has changed; return the failure."""
        refused = partial(Outcome, stage.name, 0.0, self.root / stage_process.LOGS, own_error=True)
        try:
            for command in source_commands(self.root, stage, on_line):
                outcome = self._wait_for(stage.name, on_line, command=command)
                if outcome.error:
                    return outcome
        except PipelineError as error:
            return refused(error=str(error))
        if missing := [dep for dep in stage.deps if not (self.root / dep).exists()]:
            return refused(
                error=f"{missing[0]}, which {stage.name} reads, is missing, and no .dvc file has its hash. Put it "
                "there, or correct its path in params.yaml or dvc.yaml. If it is an import that was never downloaded: "
                f"dvc update {missing[0]}.dvc"
            )
        return None

    def _wait_for(self, name: str, on_line: LineHandler, **how: Any) -> Outcome:
        """Run a DVC command for a stage to its end; `how` is for `stage_process.start`."""
        with self._guard:
            if self._stopping.is_set():
                return Outcome(name, 0.0, self.root, error=f"{name} was stopped", stopped=True)
            process = self._processes[name] = stage_process.start(self.root, name, **how)
        return process.wait(on_line)

    def _plan_around_damage(self, stage: Stage, on_line: LineHandler) -> StagePlan:
        """The stage's plan once everything that it restores is sound; what is damaged is named and not restored."""
        plan = self.plans[stage.name]
        while damaged := make_sound(self.root, stage, plan.deps, plan.params, outs=plan.outs, where=plan.where):
            for damage in damaged:
                on_line(damage.message)
            self._unusable |= {damage.unusable for damage in damaged if damage.unusable}
            plans = self._make_plan(self.running - {stage.name})
            plan = next(plan for plan in plans if plan.stage == stage.name)
        return plan

    def finished(self, name: str, outcome: Outcome) -> None:
        """Note how a stage ended, and plan again."""
        self.running.discard(name)
        self._processes.pop(name, None)
        self._gpus.pop(name, None)
        self.outcomes[name] = outcome
        if not outcome.error:
            seconds = None if outcome.restored else outcome.seconds
            workspace.note_success(self.root, name, seconds, self._begun.get(name))
        self.plan()

    def stop(self) -> None:
        """End every running stage; `run` returns in every thread."""
        self._stopping.set()
        with self._guard:
            for process in self._processes.values():
                process.stop()

    def stage(self, name: str) -> Stage:
        """The stage of this name in dvc.yaml."""
        return next(stage for stage in self._graph.stages if stage.name == name)

    def _share_of_machine(self, name: str) -> dict[str, str]:
        """The variables that give a stage its GPU, and as many threads as leave each of `jobs` stages its own cores."""
        gpu = self._gpus.get(name)
        variables = {"CUDA_VISIBLE_DEVICES": gpu} if gpu else {}
        return {**variables, **self._share_of_threads(), **(self._warm.variables() if self._starts_warm(name) else {})}

    def _share_of_threads(self) -> dict[str, str]:
        if self.jobs == 1 or THREADS in os.environ:
            return {}
        return {THREADS: str(max(1, usable_cores() // self.jobs))}

    def _starts_warm(self, name: str) -> bool:
        """Whether a stage starts from the warm process: not where it uses a GPU, whose driver may not be forked."""
        return starts_warm(self.stage(name)) and not self._machine_gpus

    def _take_gpu(self, stage: Stage) -> bool:
        """Reserve a GPU for a stage of the pool `gpu`; return False if none is free. Other stages need none."""
        if stage.meta.get("pool") != "gpu" or not self._machine_gpus:
            return True
        free = [gpu for gpu in self._machine_gpus if gpu not in self._gpus.values()]
        if free:
            self._gpus[stage.name] = free[0]
        return bool(free)


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def list_gpus() -> list[str]:
    """The GPUs of this machine, by their names in CUDA_VISIBLE_DEVICES."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [gpu.strip() for gpu in visible.split(",") if gpu.strip() not in ("", "-1")]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False, timeout=10).stdout
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return []
    return [str(index) for index, line in enumerate(line for line in listed.splitlines() if line.startswith("GPU "))]
