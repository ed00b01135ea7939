"""What will happen to each stage, and why: decided without running anything and without touching the workspace.

The rules are DVC's own (a property test holds them against `dvc repro`): a stage is fresh when its command, its
dependencies, its parameters and its outputs are those of dvc.lock, and is restored when the run-cache knows the result
for its key. What DVC does not say beforehand is said here: a stage below one that runs is *pending*, because an
upstream that comes out identical leaves it fresh.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from pipeline.planning.reasons import input_reasons, output_reasons
from pipeline.repository.graph import Entry, Graph, Item, Listing, Params, Stage, folder_item, overlap, sub_listing
from pipeline.repository.snapshot import MISSING, Where, World

State = Literal["fresh", "restored", "runs", "pending"]


@dataclass(frozen=True)
class StagePlan:
    """What will happen to one stage.

    Attributes:
        reasons: Why it is not fresh, each by name.
        waits_for: The stages whose result decides (`pending`).
        where: Where the result of a `restored` stage lies.
        seconds: Expected time; None where nothing is known, 0 where nothing is computed.
        outs: What its outputs will be; empty where only running it can tell.
        deps: What lies, or will lie, at those of its inputs that are known already.
        params: The values that it reads.
    """

    stage: str
    state: State
    reasons: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    where: Where | None = None
    seconds: float | None = 0.0
    outs: Listing = field(default_factory=dict)
    deps: Listing = field(default_factory=dict)
    params: Params = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The line of `retune plan --json`."""
        reasons = [*self.reasons, *(f"{name} first" for name in self.waits_for)]
        return {"stage": self.stage, "state": self.state, "reasons": reasons, "seconds": self.seconds}


def make_plan(
    graph: Graph, world: World, *, force: Collection[str] = (), running: Collection[str] = ()
) -> tuple[StagePlan, ...]:
    """Say for every stage of the graph what will happen to it.

    Args:
        graph: The stages, parents first.
        world: What lies where; it is only read.
        force: Stages that run whatever dvc.lock says.
        running: Stages that are being run just now: their files are not looked at.
    """
    plans: dict[str, StagePlan] = {}
    for stage in graph.stages:
        if stage.name in running:
            plans[stage.name] = StagePlan(stage.name, "runs", ("running now",), seconds=world.seconds(stage))
        else:
            plans[stage.name] = _plan_stage(graph, world, stage, plans, force=stage.name in force)
    return tuple(plans.values())


def expected_seconds(plans: Iterable[StagePlan]) -> float:
    """The sum of what is known, in seconds; pending stages count as if they ran."""
    return sum(plan.seconds or 0.0 for plan in plans)


def _plan_stage(graph: Graph, world: World, stage: Stage, plans: Mapping[str, StagePlan], *, force: bool) -> StagePlan:
    parents = graph.parents[stage.name]
    blocked = tuple(name for name in parents if plans[name].state in ("runs", "pending"))
    outs = {path: item for name in parents for path, item in plans[name].outs.items()}
    written = {other.name: other.outs for other in graph.stages}
    unknown = [out for name in blocked for out in written[name]]
    siblings = [out for name in parents for out in written[name]]
    deps = {
        dep: _predict(world, dep, outs, siblings) for dep in stage.deps if not any(overlap(dep, out) for out in unknown)
    }
    params = read_values(world, stage)
    entry = world.locked(stage.name)
    changed = input_reasons(world, stage, entry, deps, params)
    reasons = (*changed, *(output_reasons(world, stage, entry) if entry else ()))
    there = {path: item for path, item in deps.items() if item}
    known = partial(StagePlan, stage.name, deps=there, params=params)
    if blocked:
        return known("pending", reasons, blocked, seconds=world.seconds(stage))
    if force:
        return known("runs", ("asked for again", *reasons), seconds=world.seconds(stage))
    if entry and not reasons:
        return known("fresh", outs=_own(stage, entry))
    if len(there) == len(stage.deps):
        found = world.recorded(stage, None if changed else entry, there, params)
        if found:
            return known("restored", reasons, where=found[1], outs=_own(stage, found[0]))
    return known("runs", reasons, seconds=world.seconds(stage))


def _own(stage: Stage, entry: Entry) -> dict[str, Item]:
    return {out: entry.outs[out] for out in stage.outs if out in entry.outs}


def _predict(world: World, path: str, outs: Listing, written: Iterable[str]) -> Item | None:
    """What will lie at `path` once the stages above, all of known result, have been fetched.

    Args:
        world: What lies where.
        path: A dependency.
        outs: The outputs that the parents will have.
        written: Every path that the parents write.
    """
    if path in outs:
        return outs[path]
    for out, item in outs.items():
        if path.startswith(f"{out}/"):  # a part of an output folder
            files, name = world.listing(item, out) or {}, path.removeprefix(f"{out}/")
            inside = sub_listing(files, name)
            return files.get(name) or (folder_item(inside) if inside else None)
    if not any(out.startswith(f"{path}/") for out in outs):
        return world.present(path)
    owned = [out.removeprefix(f"{path}/") for out in written if out.startswith(f"{path}/")]
    content = {name: item for name, item in world.files(path).items() if not any(overlap(name, out) for out in owned)}
    for out, item in outs.items():  # a folder that holds outputs
        if out.startswith(f"{path}/"):
            name = out.removeprefix(f"{path}/")
            parts = world.listing(item, out) or {} if item.is_folder else None
            content |= {name: item} if parts is None else {f"{name}/{file}": part for file, part in parts.items()}
    return folder_item(content)


def read_values(world: World, stage: Stage) -> Params:
    """The parameters that the stage reads; what is not there is left out."""
    return {file: _values(world, file, keys) for file, keys in stage.params.items()}


def _values(world: World, file: str, keys: tuple[str, ...]) -> dict[str, Any]:
    if not keys:
        whole = world.param(file, "")
        return dict(whole) if isinstance(whole, Mapping) else {}
    found = {key: world.param(file, key) for key in keys}
    return {key: value for key, value in found.items() if value is not MISSING}
