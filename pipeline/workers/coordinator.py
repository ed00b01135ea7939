"""Decides which stage runs where, without any data: plan, submit, wait, plan again, until every stage is recorded."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from prefect.client.schemas.objects import FlowRun

from pipeline.planning.plan import StagePlan, make_plan
from pipeline.repository.graph import Graph, Stage
from pipeline.repository.lock import merge_lock
from pipeline.repository.project import Project
from pipeline.repository.storage.remote import Remote
from pipeline.workers.attempts import Attempts, RunEnd
from pipeline.workers.dispatch import Dispatcher, Submission
from pipeline.workers.inputs import inputs_of, plan_key
from pipeline.workers.liveness.monitor import HeartbeatMonitor
from pipeline.workers.prefect_api import UNREACHABLE, log_unreachable, telling_answers
from pipeline.workers.progress import Progress
from pipeline.workers.stage_run import StageRequest
from stages.errors import PipelineError

POLL_SECONDS = 1.0
POOL_DELETED = "its work pool was deleted. Run: retune deploy. Then start a new run"
log = logging.getLogger(__name__)


class StoppedError(PipelineError):
    """The run was ended from outside."""


def check_not_ended(ended: threading.Event) -> None:
    """Raise StoppedError if the run was ended from outside."""
    if ended.is_set():
        raise StoppedError("this run was ended from outside")


class Coordinator:
    """Runs stages on the work pools until every stage of one commit has a record in the DVC remote.

    Args:
        root: A clean checkout of the commit, without data.
        repository: URL of the git repository, for the workers.
        commit: The commit's full SHA.
        dispatcher: Submits stages to the work pools.
        targets: Stages to bring up to date, with every stage that they need; none: all.
        refresh: Run the stages that read no other stage even if they are recorded.
        show: Called with the progress at the start, every second, and at the end.
        ended: Set, from any thread, when the run was ended from outside; `run` then raises StoppedError.

    Attributes:
        graph: The stages to bring up to date.
        plans: The newest plan, by stage.
        attempts: The attempts at each stage that was submitted, by stage.
    """

    def __init__(
        self,
        root: Path,
        *,
        repository: str,
        commit: str,
        dispatcher: Dispatcher,
        targets: Sequence[str] = (),
        refresh: bool = False,
        show: Callable[[Progress], object] = lambda _: None,
        ended: threading.Event | None = None,
    ) -> None:
        self.graph = Graph((), {})
        self.plans: dict[str, StagePlan] = {}
        self.attempts: dict[str, Attempts] = {}
        self._root = root
        self._repository = repository
        self._commit = commit
        self._dispatcher = dispatcher
        self._targets = targets
        self._refresh = refresh
        self._show = show
        self._refreshed: set[str] = set()
        self._first_plan: list[StagePlan] = []
        self._active: dict[str, Submission] = {}
        self._states: dict[str, str] = {}  # stage -> the name of Prefect's state of its newest run
        self._monitor = HeartbeatMonitor(dispatcher.write_probe)
        self._ended = ended or threading.Event()

    def run(self) -> None:
        """Run until every stage is recorded or one has failed.

        Raises:
            PipelineError: A stage failed; the message names it and the cause.
            StoppedError: `ended` was set; submitted stages run on.
        """
        self._first_plan = self._plan()
        try:
            self._run_stages()
        except PipelineError:  # not a signal, which leaves no time to ask Prefect's API
            self._show(self._progress(over=True))
            raise
        self._show(self._progress(over=True))
        if failed := self._failed():
            raise PipelineError("; ".join(f"{name}: {self.attempts[name].message}" for name in failed))

    def _run_stages(self) -> None:
        while True:
            if not self._failed():
                for stage in self._ready():
                    self._submit(stage)
            self._show(self._progress())
            if not self._active:
                break
            self._ended.wait(POLL_SECONDS)
            check_not_ended(self._ended)
            if ends := self._poll():
                self._take_ends(ends)

    def _progress(self, *, over: bool = False) -> Progress:
        active = {name: self._states.get(name, "submitted") for name in self._active}
        return Progress(self.graph, self._first_plan, self.plans, self.attempts, active, over)

    def cancel(self) -> None:
        """Cancel every active run that this coordinator submitted."""
        for submission in self._active.values():
            if submission.own:
                self._dispatcher.cancel(submission.run_id)

    def _plan(self) -> list[StagePlan]:
        with Project(self._root) as project:
            self.graph = project.graph.select(self._targets)
            plans = list(make_plan(self.graph, project, force=self._to_refresh()))
        self.plans = {plan.stage: plan for plan in plans}
        for name in [name for name in self._active if self.plans[name].state in ("fresh", "restored")]:
            self.attempts[name].ended()
            log.info("%s is recorded after %.0f s.", name, self.attempts[name].seconds)
            del self._active[name]
        return plans

    def _to_refresh(self) -> set[str]:
        sources = {stage.name for stage in self.graph.stages if not self.graph.parents[stage.name]}
        return sources - self._refreshed if self._refresh else set()

    def _ready(self) -> list[Stage]:
        inactive = (stage for stage in self.graph.stages if stage.name not in self._active)
        return [stage for stage in inactive if self.plans[stage.name].state == "runs"]

    def _failed(self) -> list[str]:
        return [name for name, attempts in self.attempts.items() if attempts.exhausted]

    def _submit(self, stage: Stage) -> None:
        plan = self.plans[stage.name]
        key = plan_key(stage, plan)
        if key is None:
            missing = ", ".join(sorted(set(stage.deps) - set(plan.deps)))
            raise PipelineError(
                f"{stage.name} reads {missing}, which is neither in git, nor tracked by DVC, nor an output of a stage. "
                f"Commit it; data goes to DVC: dvc add {missing}, commit the .dvc file, dvc push."
            )
        inputs = {path: item.md5 for path, item in inputs_of(self.graph, stage, self.plans).items()}
        refresh = stage.name in self._to_refresh()
        pool = str(stage.meta.get("pool", "cpu"))
        request = StageRequest(self._repository, self._commit, stage.name, key, inputs, refresh)
        submission = self._dispatcher.submit(
            stage.name, pool=pool, key=f"{key}:again" if refresh else key, parameters=request.as_parameters()
        )
        self._active[stage.name] = submission
        self._states.pop(stage.name, None)
        self.attempts.setdefault(stage.name, Attempts()).submitted()
        event = "submitted to" if submission.own else "already submitted by another coordinator to"
        log.info("%s %s the pool %s as %s: %s", stage.name, event, pool, submission.address, "; ".join(plan.reasons))

    def _poll(self) -> list[RunEnd]:
        """The active runs that ended or are lost; empty while Prefect's API is unreachable."""
        try:
            with telling_answers():
                runs = self._dispatcher.read_runs([submission.run_id for submission in self._active.values()])
                stages = [stage for stage in self.graph.stages if stage.name in self._active]
                found = {stage.name: runs.get(self._active[stage.name].run_id) for stage in stages}
                self._states |= {name: str(run.state.name) for name, run in found.items() if run and run.state}
                ends = [self._run_end(stage, found[stage.name]) for stage in stages]
        except UNREACHABLE as error:
            log_unreachable(log, error)
            self._monitor.reset()
            return []
        return [end for end in ends if end]

    def _run_end(self, stage: Stage, run: FlowRun | None) -> RunEnd | None:
        """How the run ended, or None while it is active."""
        if run is None or run.state is None:
            return RunEnd(stage, "its flow run was deleted")
        if run.state.is_final():
            return RunEnd.of_state(stage, run.state)
        is_stranded = run.state.is_scheduled() and run.work_queue_id is None  # it stays so if the pool is created again
        if cause := POOL_DELETED if is_stranded else self._monitor.lost_cause(run):
            self._dispatcher.mark_crashed(run.id, cause)
            return RunEnd(stage, cause)
        return None

    def _take_ends(self, ends: Sequence[RunEnd]) -> None:
        """Plan again; a stage whose run ended without a record in the remote has failed an attempt."""
        for end in ends:
            if end.completed and end.stage.name in self._to_refresh():
                self._take_refreshed(end.stage)
        self._plan()
        for end in ends:
            name = end.stage.name
            attempts = self.attempts[name]
            if self._active.pop(name, None):  # _plan removes it where it is recorded, whatever state its run is in
                attempts.ended()
                attempts.failed(end)
                log.warning("%s: %s%s", name, attempts.cause, "" if attempts.exhausted else "; trying again")

    def _take_refreshed(self, stage: Stage) -> None:
        """Put the new record of a refreshed stage into dvc.lock."""
        key = plan_key(stage, self.plans[stage.name])
        with Remote(self._root) as remote:
            entry = remote.find(key) if key else None
        if entry:
            merge_lock(self._root, {stage.name: entry})
            self._refreshed.add(stage.name)
