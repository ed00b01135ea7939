"""The stages of dvc.yaml as plain values: what each stage reads and writes, and their order."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pipeline.repository.digests import Digests, PathIndex
from stages.errors import PipelineError

ParamValues = Mapping[str, Mapping[str, Any]]  # file -> key -> value


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml, with `${...}` and the like resolved; paths are relative to the project's folder."""

    name: str
    cmd: str
    deps: tuple[str, ...] = ()
    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # file -> keys; no keys: the whole file
    outs: tuple[str, ...] = ()
    uncached: frozenset[str] = frozenset()  # those of `outs` that are kept in git
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        limits = {"timeout": (int, float), "retries": (int,)}
        for key, kinds in limits.items():
            value = self.meta.get(key)
            minimum = 0 if key == "retries" else 1
            if value is not None and (isinstance(value, bool) or not isinstance(value, kinds) or value < minimum):
                unit = "number of seconds, at least 1" if key == "timeout" else "whole number, at least 0"
                raise PipelineError(f"dvc.yaml: {self.name} has meta.{key}: {value!r}. Expected a {unit}.")

    @property
    def timeout(self) -> float | None:
        """Seconds after which the stage is stopped; None: no limit."""
        return self.meta.get("timeout")

    @property
    def retries(self) -> int:
        """How many times the stage is started again after the machine, not the stage itself, ended it."""
        return int(self.meta.get("retries") or 0)

    @property
    def group(self) -> str:
        """The name without its item: `finetune` for `finetune@42`."""
        return self.name.partition("@")[0]


@dataclass(frozen=True)
class LockEntry:
    """The entry of a finished stage in dvc.lock or in the run-cache: its inputs and its outputs."""

    cmd: str
    deps: Digests
    params: ParamValues
    outs: Digests


@dataclass(frozen=True)
class Graph:
    """The stages in an order that puts each one after its parents: the stages whose outputs it reads.

    Attributes:
        stages: In that order.
        parents: The names of each stage's parents.
        item_folders: Folders of which `foreach` or `matrix` over numbers gives each number a folder of its own.
    """

    stages: tuple[Stage, ...]
    parents: Mapping[str, tuple[str, ...]]
    item_folders: frozenset[str] = frozenset()

    def group(self, name: str) -> tuple[str, ...]:
        """The stages that dvc.yaml repeats, by the name without their item."""
        return self._groups.get(name, ())

    @functools.cached_property
    def _groups(self) -> dict[str, tuple[str, ...]]:
        groups: dict[str, list[str]] = {}
        for stage in self.stages:
            groups.setdefault(stage.group, []).append(stage.name)
        return {name: tuple(stages) for name, stages in groups.items()}

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """The named stages and all stages upstream of them."""
        reached: set[str] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if name not in reached:
                reached.add(name)
                todo.extend(self.parents[name])
        return reached

    def select(self, targets: Iterable[str]) -> "Graph":
        """The targets and all stages upstream of them; without targets the whole graph.

        Args:
            targets: Names of stages; `finetune` means every `finetune@SEED`.

        Raises:
            PipelineError: dvc.yaml has no stage of that name.
        """
        names: set[str] = set()
        for target in targets:
            matching = {stage.name for stage in self.stages if target in (stage.name, stage.group)}
            if not matching:
                known = ", ".join(dict.fromkeys(stage.group for stage in self.stages))
                raise PipelineError(f"dvc.yaml has no stage {target}. The stages are: {known}.")
            names |= matching
        wanted = self.ancestors(names) if names else set(self.parents)
        return Graph(tuple(stage for stage in self.stages if stage.name in wanted), self.parents, self.item_folders)


def build_graph(stages: Iterable[Stage], *, item_folders: Iterable[str] = ()) -> Graph:
    """Order the stages so that each one follows the stages whose outputs it reads.

    Args:
        stages: In any order.
        item_folders: See `Graph`.

    Raises:
        PipelineError: The stages form a cycle, or two stages write the same path.
    """
    stages = list(stages)
    owner: dict[str, Stage] = {}
    for stage in stages:
        own = PathIndex(stage.outs)
        if read := [dep for dep in stage.deps if own.overlapping(dep)]:
            raise PipelineError(f"dvc.yaml: {stage.name} depends on {read[0]}, its own output. Name another path.")
        for out in stage.outs:
            if out in owner:
                raise PipelineError(
                    f"dvc.yaml: {owner[out].name} and {stage.name} both write {out}. List it in the outs of only one."
                )
            owner[out] = stage
    outs, rank = PathIndex(owner), {out: index for index, out in enumerate(owner)}
    parents: dict[str, tuple[str, ...]] = {}
    for stage in stages:
        inputs = {out for dep in stage.deps for out in outs.overlapping(dep)}
        parents[stage.name] = tuple(dict.fromkeys(owner[out].name for out in sorted(inputs, key=rank.__getitem__)))
    try:
        order = list(TopologicalSorter(parents).static_order())
    except CycleError as error:
        raise PipelineError(f"dvc.yaml: these stages form a cycle: {' -> '.join(error.args[1])}.") from error
    position = {name: index for index, name in enumerate(order)}
    return Graph(tuple(sorted(stages, key=lambda stage: position[stage.name])), parents, frozenset(item_folders))
