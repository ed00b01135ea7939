"""Decides which stage may start when, and runs it: what a flow does, without Prefect."""

import os
import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path

from pipeline.execution import stage_process, workspace
from pipeline.execution.stage_process import Outcome, Reader, Running
from pipeline.planning.plan import StagePlan, make_plan
from pipeline.repository.graph import Graph, Stage
from pipeline.repository.project import Project

TO_DO = ("runs", "restored", "pending")


class Runner:
    """The state of one run of the pipeline.

    Args:
        root: The project's folder.
        targets: Stages to bring up to date with all that they need; none: all.
        refresh: Run the stages that read no other stage even where nothing has changed.
        jobs: How many stages may run at once.

    Attributes:
        plans: The newest plan, by stage.
        running: The stages that run now.
        outcomes: How the stages that were run have ended.
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
        self._stopping = threading.Event()
        self._guard = threading.Lock()

    @property
    def failures(self) -> list[Outcome]:
        """The stages that did not end well."""
        return [outcome for outcome in self.outcomes.values() if outcome.error]

    def plan(self) -> list[StagePlan]:
        """Look at the workspace as it is now."""
        with Project(self.root) as project:
            self._graph = project.graph.select(self._targets)
            again = [
                stage.name for stage in self._graph.stages if self._refresh and not self._graph.parents[stage.name]
            ]
            force = set(again) - set(self.outcomes)
            plans = make_plan(self._graph, project, force=force, running=self.running)
        self.plans = {plan.stage: plan for plan in plans}
        return list(plans)

    def fresh(self) -> list[str]:
        """Stages for which nothing is left to do, and nothing was done."""
        return [name for name, plan in self.plans.items() if plan.state == "fresh" and name not in self.outcomes]

    def start_ready(self) -> list[str]:
        """Choose the stages that may start now, and count them as running."""
        chosen: list[str] = []
        for stage in self._graph.stages:
            if self.failures or self._stopping.is_set() or len(self.running) >= self.jobs:
                break
            if stage.name in self.running or self.plans[stage.name].state not in ("runs", "restored"):
                continue
            above = self._graph.ancestors([stage.name]) - {stage.name}
            if any(self.plans[name].state in TO_DO for name in above) or not self._take_gpu(stage):
                continue
            self.running.add(stage.name)
            chosen.append(stage.name)
        return chosen

    def run(self, name: str, read: Reader) -> Outcome:
        """Run one stage to its end (in a thread of its own); `read` gets every line that it writes."""
        plan, stage = self.plans[name], self.stage(name)
        flags = {"--force": "asked for again" in plan.reasons, "--pull": plan.where == "remote"}
        options = [flag for flag, wanted in flags.items() if wanted]
        gpu = self._gpus.get(name)
        with self._guard:
            if self._stopping.is_set():
                return Outcome(name, 0.0, self.root, error=f"{name} was stopped", stopped=True)
            process = stage_process.start(
                self.root,
                name,
                options=options,
                timeout=stage.timeout,
                environment={"CUDA_VISIBLE_DEVICES": gpu} if gpu else None,
            )
            self._processes[name] = process
        outcome = process.wait(read)
        if outcome.error:
            workspace.end_leftovers(self.root, stage=name)
            workspace.discard_half_outputs(self.root, name)
        return outcome

    def finished(self, name: str, outcome: Outcome) -> None:
        """Take note of how a stage has ended, and plan again."""
        self.running.discard(name)
        self._processes.pop(name, None)
        self._gpus.pop(name, None)
        self.outcomes[name] = outcome
        if not outcome.error:
            workspace.note_success(self.root, name, None if outcome.restored else outcome.seconds)
        self.plan()

    def stop(self) -> None:
        """End everything that runs; `run` returns in every thread."""
        self._stopping.set()
        with self._guard:
            for process in self._processes.values():
                process.stop()

    def stage(self, name: str) -> Stage:
        """The stage as dvc.yaml has it."""
        return next(stage for stage in self._graph.stages if stage.name == name)

    def _take_gpu(self, stage: Stage) -> bool:
        """One stage of the pool `gpu` per GPU; without a GPU they are like the others."""
        gpus = list_gpus()
        if stage.meta.get("pool") != "gpu" or not gpus:
            return True
        free = [gpu for gpu in gpus if gpu not in self._gpus.values()]
        if free:
            self._gpus[stage.name] = free[0]
        return bool(free)


def list_gpus() -> list[str]:
    """The GPUs of this machine, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [gpu.strip() for gpu in visible.split(",") if gpu.strip() not in ("", "-1")]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False, timeout=10).stdout
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return []
    return [str(index) for index, line in enumerate(line for line in listed.splitlines() if line.startswith("GPU "))]
