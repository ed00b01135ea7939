"""What will happen to each stage, and why: decided from a snapshot, without running anything.

The rules are DVC's (a property test compares them with `dvc repro`): a stage is *fresh* if its command, dependencies,
parameters and outputs equal those in dvc.lock, and *restored* if the run-cache has the result for its key; otherwise it
*runs*. A stage downstream of one that runs is *pending*: if the upstream outputs turn out identical, it stays fresh.
One rule is ours: code that changed in comments alone is no change, and `retune accept` makes DVC agree.
"""

import posixpath
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from pipeline.planning.forecast import ENCODER, Forecaster
from pipeline.planning.reasons import comment_changes, input_reasons, output_reasons
from pipeline.planning.work import Work
from pipeline.repository.digests import Digest, Digests, PathIndex, files_under, folder_digest
from pipeline.repository.graph import Graph, LockEntry, ParamValues, Stage
from pipeline.repository.snapshot import MISSING, ModelRows, Snapshot, Where
from stages.redaction import redact

State = Literal["fresh", "restored", "runs", "pending"]


@dataclass(frozen=True)
class StagePlan:
    """What will happen to one stage.

    Attributes:
        reasons: Why it is not fresh, one by one.
        waits_for: The upstream stages whose result decides whether a `pending` stage runs.
        where: Where the result of a `restored` stage is.
        seconds: Expected time; None if unknown, 0 if nothing is computed.
        range: From how many seconds to how many it takes in 80% of the cases; None if `seconds` is None or 0.
        work: How much it computes where no row is kept; None: unknown.
        reads: The rows that a model computes for it, once for all runs; None: no model does.
        outs: The digests that its outputs will have; empty if only a run can tell.
        deps: The digests that its dependencies have or will have, as far as they are known.
        params: The current values of its parameters.
        forced: The caller asked for a run, whatever dvc.lock says.
        comments: The Python files that differ from dvc.lock in comments and layout alone, which is no reason to run.
        acceptable: They are all that differs, and no output does: `retune accept` may record them in dvc.lock.
    """

    stage: str
    state: State
    reasons: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    where: Where | None = None
    seconds: float | None = 0.0
    range: tuple[float, float] | None = field(default=None, compare=False)
    work: Work | None = field(default=None, compare=False)
    reads: ModelRows | None = field(default=None, compare=False)
    outs: Digests = field(default_factory=dict)
    deps: Digests = field(default_factory=dict)
    params: ParamValues = field(default_factory=dict)
    forced: bool = False
    comments: tuple[str, ...] = ()
    acceptable: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What the plan says beside the reasons: which code differs in comments alone."""
        if not self.comments:
            return ()
        if self.acceptable:
            return ("only comments or layout changed: retune accept records it",)
        return tuple(f"{name} changed in comments or layout only" for name in self.comments)

    def as_json(self) -> dict[str, Any]:
        """The stage's entry in `retune plan --json`."""
        reasons = [*self.reasons, *self.notes, *(f"{name} first" for name in self.waits_for)]
        low, high = self.range or (self.seconds, self.seconds)
        times = {"seconds": self.seconds, "seconds_low": low, "seconds_high": high}
        return {"stage": self.stage, "state": self.state, "reasons": reasons, **times}


def make_plan(
    graph: Graph, snapshot: Snapshot, *, force: Collection[str] = (), running: Collection[str] = ()
) -> tuple[StagePlan, ...]:
    """What will happen to every stage of the graph, upstream stages first.

    Args:
        graph: The stages.
        snapshot: The state of the project.
        force: Stages that run whatever dvc.lock says.
        running: Stages that run at this moment: their files are not read.
    """
    plans: dict[str, StagePlan] = {}
    forecaster = Forecaster(graph, snapshot)
    outs_of = {stage.name: stage.outs for stage in graph.stages}
    for stage in graph.stages:
        if stage.name in running:
            plans[stage.name] = StagePlan(stage.name, "runs", ("running now",))
        else:
            parents = {name: outs_of[name] for name in graph.parents[stage.name]}
            plans[stage.name] = _plan_stage(snapshot, stage, parents, plans, force=stage.name in force)
        if ENCODER in stage.outs:
            forecaster.follow(stage, plans[stage.name].outs, read_values(snapshot, stage))
        if plans[stage.name].state in ("runs", "pending"):
            plans[stage.name] = _with_times(plans[stage.name], stage, forecaster)
    return tuple(plans.values())


def expected_seconds(plans: Iterable[StagePlan]) -> float:
    """The known times added up, in seconds; pending stages count as if they ran."""
    return sum(plan.seconds or 0.0 for plan in plans)


def _plan_stage(
    snapshot: Snapshot,
    stage: Stage,
    parents: Mapping[str, Collection[str]],
    plans: Mapping[str, StagePlan],
    *,
    force: bool,
) -> StagePlan:
    """Plan one stage.

    Args:
        snapshot: The state of the project.
        stage: The stage.
        parents: What each of its parents writes.
        plans: The plans of all stages before it.
        force: It runs whatever dvc.lock says.
    """
    blocked = tuple(name for name in parents if plans[name].state in ("runs", "pending"))
    outs = {path: digest for name in parents for path, digest in plans[name].outs.items()}
    unknown = PathIndex(out for name in blocked for out in parents[name])
    written = PathIndex(out for writes in parents.values() for out in writes)
    deps = {
        dep: expected_digest(snapshot, posixpath.normpath(dep), outs, written)
        for dep in stage.deps
        if not unknown.overlapping(dep)
    }
    params = read_values(snapshot, stage)
    entry = snapshot.locked(stage.name)
    comments = comment_changes(snapshot, stage, entry, deps) if entry else {}
    changed = input_reasons(snapshot, stage, entry, deps, params, comments=comments)
    outputs = output_reasons(snapshot, stage, entry) if entry else []
    reasons = tuple(map(redact, (*changed, *outputs)))
    known_deps = {path: digest for path, digest in deps.items() if digest}
    plan = partial(
        StagePlan,
        stage.name,
        deps=known_deps,
        params=params,
        comments=tuple(name for files in comments.values() for name in files),
        acceptable=bool(comments) and not (blocked or reasons),
    )
    if blocked:
        return plan("pending", reasons, blocked)
    if force:
        return plan("runs", ("refresh requested", *reasons), forced=True)
    if entry and not reasons:
        return plan("fresh", outs=_outs(stage, entry))
    if len(known_deps) == len(stage.deps):
        recorded = snapshot.recorded(stage, None if changed or comments else entry, known_deps, params)
        if recorded:
            return plan("restored", reasons, where=recorded.where, outs=_outs(stage, recorded.entry))
    return plan("runs", reasons)


def _with_times(plan: StagePlan, stage: Stage, forecaster: Forecaster) -> StagePlan:
    """The plan of a stage that runs, or may run, with its expected time."""
    reads = forecaster.reads(stage, plan.deps)
    kept = forecaster.kept(stage, reads, () if plan.reasons else plan.waits_for) if reads else None
    expected = forecaster.of(stage, kept=kept)
    plan = replace(plan, work=forecaster.work(stage), reads=reads)
    if expected is None:
        return replace(plan, seconds=None)
    seconds, low, high = (round(value, 1) for value in (expected.seconds, expected.low, expected.high))
    return replace(plan, seconds=seconds, range=(low, high))


def _outs(stage: Stage, entry: LockEntry) -> dict[str, Digest]:
    return {out: entry.outs[out] for out in stage.outs if out in entry.outs}


def expected_digest(snapshot: Snapshot, path: str, outs: Digests, written: PathIndex) -> Digest | None:
    """The digest of a dependency after all upstream stages, whose results are known, have been restored.

    Args:
        snapshot: The state of the project.
        path: The dependency.
        outs: The digests that the outputs of its parents will have.
        written: Every path that the parents write.
    """
    if path in outs:
        return outs[path]
    known = [out for out in written.overlapping(path) if out in outs]
    for out in known:
        if path.startswith(f"{out}/"):  # inside an output folder
            files, name = snapshot.folder_files(outs[out], out) or {}, path.removeprefix(f"{out}/")
            inside = files_under(files, name)
            return files.get(name) or (folder_digest(inside) if inside else None)
    if not known:
        return snapshot.digest(path)
    return _expected_folder(snapshot, path, {out: outs[out] for out in known}, written)


def _expected_folder(snapshot: Snapshot, folder: str, outs: Digests, written: PathIndex) -> Digest:
    """The digest of a folder that contains outputs: its other files as they are, the outputs as they will be."""
    current = snapshot.files(folder).items()
    files = {name: digest for name, digest in current if not written.overlapping(f"{folder}/{name}")}
    for out, digest in outs.items():
        if out.startswith(f"{folder}/"):
            name = out.removeprefix(f"{folder}/")
            if digest.is_folder:
                inside = snapshot.folder_files(digest, out) or {}
                files |= {f"{name}/{file}": file_digest for file, file_digest in inside.items()}
            else:
                files[name] = digest
    return folder_digest(files)


def read_values(snapshot: Snapshot, stage: Stage) -> ParamValues:
    """The current values of the stage's parameters; those that do not exist are left out."""
    return {file: _values(snapshot, file, keys) for file, keys in stage.params.items()}


def _values(snapshot: Snapshot, file: str, keys: tuple[str, ...]) -> dict[str, Any]:
    if not keys:
        whole = snapshot.param(file, "")
        return dict(whole) if isinstance(whole, Mapping) else {}
    values = {key: snapshot.param(file, key) for key in keys}
    return {key: value for key, value in values.items() if value is not MISSING}
