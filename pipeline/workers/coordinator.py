"""Decides which stage runs where, without any data: plan, send, wait, plan again, until every stage is recorded."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prefect.client.schemas.objects import FlowRun

from pipeline.planning.plan import StagePlan, make_plan
from pipeline.repository.graph import Graph, Stage
from pipeline.repository.lock import merge_lock
from pipeline.repository.project import Project
from pipeline.repository.remote import Remote
from pipeline.workers.dispatch import Sent, Workers
from pipeline.workers.heartbeat import UNREACHABLE, Watch
from pipeline.workers.inputs import inputs_of, plan_key
from stages.errors import PipelineError

POLL_SECONDS = 1.0
RETRIES = 2  # of a stage that the machine stopped, where meta.retries says nothing else
SAID_NO = "StageFailed"  # names of states that run-stage ends with
DAMAGED = "InputDamaged"
log = logging.getLogger(__name__)


class StoppedError(PipelineError):
    """Somebody has ended the run from outside."""


@dataclass
class Tally:
    """What happened to one stage."""

    tries: int = 0
    cause: str = ""
    fatal: bool = False
    seconds: float = 0.0  # from the last sending to the end that was seen
    sent_at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class End:
    """How a stage's run ended, as Prefect has it.

    Attributes:
        fatal: Another try is useless.
        completed: It says that it is done.
    """

    stage: Stage
    cause: str
    fatal: bool = False
    completed: bool = False


class Coordinator:
    """Brings every stage of one commit to a record in the DVC remote.

    Args:
        root: A clean checkout of the commit, without data.
        repository: URL of the git repository, for the workers.
        commit: The commit.
        workers: The way to the work pools.
        targets: Stages to bring up to date with all that they need; none: all.
        refresh: Run the stages that read no other stage even where they are recorded.

    Attributes:
        plans: The newest plan, by stage.
        tallies: What happened to each stage that was sent.
    """

    def __init__(
        self,
        root: Path,
        *,
        repository: str,
        commit: str,
        workers: Workers,
        targets: Sequence[str] = (),
        refresh: bool = False,
    ) -> None:
        self.plans: dict[str, StagePlan] = {}
        self.tallies: dict[str, Tally] = {}
        self._root = root
        self._repository = repository
        self._commit = commit
        self._workers = workers
        self._targets = targets
        self._refresh = refresh
        self._refreshed: set[str] = set()
        self._graph = Graph((), {})
        self._active: dict[str, Sent] = {}
        self._watch = Watch(workers.touch)
        self._stopping = threading.Event()

    def run(self) -> list[StagePlan]:
        """Go on until nothing is left to do; return the first plan.

        Raises:
            PipelineError: A stage can't be done; the message names it and the cause.
            StoppedError: `stop` was called.
        """
        first = self._plan()
        while True:
            if not self._failed():
                for stage in self._ready():
                    self._send(stage)
            if not self._active:
                break
            if self._stopping.wait(POLL_SECONDS):
                raise StoppedError("somebody has ended this run")
            if ended := self._look():
                for end in ended:
                    if end.completed and end.stage.name in self._to_refresh():
                        self._take_refreshed(end.stage)
                self._plan()
                for end in ended:
                    self._count(end)
        if failed := self._failed():
            raise PipelineError("; ".join(f"{name}: {self._final(name)}" for name in failed))
        return first

    def stop(self) -> None:
        """Have `run` end; what it has sent goes on. May be called from any thread."""
        self._stopping.set()

    def cancel(self) -> None:
        """Have everything stopped that we have asked for."""
        for sent in self._active.values():
            if sent.own:
                self._workers.cancel(sent.run_id)

    @property
    def graph(self) -> Graph:
        """The stages of the commit."""
        return self._graph

    def _plan(self) -> list[StagePlan]:
        with Project(self._root) as project:
            self._graph = project.graph.select(self._targets)
            plans = list(make_plan(self._graph, project, force=self._to_refresh()))
        self.plans = {plan.stage: plan for plan in plans}
        for name in [name for name in self._active if self.plans[name].state in ("fresh", "restored")]:
            log.info("%s is recorded.", name)
            del self._active[name]
        return plans

    def _to_refresh(self) -> set[str]:
        first = {stage.name for stage in self._graph.stages if not self._graph.parents[stage.name]}
        return first - self._refreshed if self._refresh else set()

    def _ready(self) -> list[Stage]:
        waiting = (stage for stage in self._graph.stages if stage.name not in self._active)
        return [stage for stage in waiting if self.plans[stage.name].state == "runs"]

    def _failed(self) -> list[str]:
        return [name for name, tally in self.tallies.items() if tally.fatal]

    def _final(self, name: str) -> str:
        tally = self.tallies[name]
        cause = tally.cause.removeprefix(f"{name}: ")
        return cause if tally.tries <= 1 else f"{tally.tries} tries; the last one: {cause}"

    def _send(self, stage: Stage) -> None:
        plan = self.plans[stage.name]
        key = plan_key(stage, plan)
        if key is None:
            missing = sorted(set(stage.deps) - set(plan.deps))
            raise PipelineError(f"{stage.name} reads {', '.join(missing)}, which is neither in git nor an output.")
        inputs = {path: item.md5 for path, item in inputs_of(self._graph, stage, self.plans).items()}
        refresh = stage.name in self._to_refresh()
        pool = str(stage.meta.get("pool", "cpu"))
        self._active[stage.name] = sent = self._workers.send(
            stage.name,
            pool=pool,
            key=f"{key}:again" if refresh else key,
            parameters={
                "repository": self._repository,
                "commit": self._commit,
                "stage": stage.name,
                "key": key,
                "inputs": inputs,
                "refresh": refresh,
            },
        )
        tally = self.tallies.setdefault(stage.name, Tally())
        tally.sent_at = time.monotonic()
        verb = "sent to" if sent.own else "is running already (asked for by another coordinator) in"
        log.info("%s %s the pool %s: %s", stage.name, verb, pool, "; ".join(plan.reasons))

    def _look(self) -> list[End]:
        """The runs that have ended or are lost since the last look."""
        try:
            runs = self._workers.look([sent.run_id for sent in self._active.values()])
            stages = [stage for stage in self._graph.stages if stage.name in self._active]
            ends = [self._end(stage, runs.get(self._active[stage.name].run_id)) for stage in stages]
        except UNREACHABLE as error:
            log.warning("Prefect's API does not answer (%s): trying again.", error)
            self._watch.forget()
            return []
        return [end for end in ends if end]

    def _end(self, stage: Stage, run: FlowRun | None) -> End | None:
        if run is None or run.state is None:
            return End(stage, "its flow run was deleted")
        if run.state.is_final():
            fatal = run.state.name in (SAID_NO, DAMAGED)
            cause = run.state.message or f"it ended as {run.state.name}"
            return End(stage, cause, fatal=fatal, completed=run.state.is_completed())
        if lost := self._watch.lost(run):
            self._workers.give_up(run.id, lost)
            return End(stage, lost)
        return None

    def _take_refreshed(self, stage: Stage) -> None:
        """Put the new record of a stage that was asked for again in the place of what dvc.lock says."""
        key = plan_key(stage, self.plans[stage.name])
        with Remote(self._root) as remote:
            entry = remote.find(key) if key else None
        if entry:
            merge_lock(self._root, {stage.name: entry})
            self._refreshed.add(stage.name)

    def _count(self, end: End) -> None:
        """Take note of an ended run; the record in the remote decides whether the stage is done."""
        stage, cause = end.stage, end.cause
        tally = self.tallies[stage.name]
        tally.seconds = time.monotonic() - tally.sent_at
        if self._active.pop(stage.name, None) is None:  # recorded, whatever became of the run
            return
        tally.tries += 1
        tally.cause = cause
        tally.fatal = end.fatal or tally.tries > int(stage.meta.get("retries", RETRIES))
        log.warning(
            "%s: %s%s", stage.name, cause.removeprefix(f"{stage.name}: "), "" if tally.fatal else "; trying again"
        )
