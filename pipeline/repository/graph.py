"""The stages of dvc.yaml as plain values: what each reads and writes, and who comes after whom."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from stages.errors import PipelineError

Params = Mapping[str, Mapping[str, Any]]  # file -> key -> value


@dataclass(frozen=True)
class Item:
    """What lies at a path, as DVC names it: the MD5 of a file, or of a folder's listing (it ends in `.dir`)."""

    md5: str
    executable: bool = False

    @property
    def is_folder(self) -> bool:
        return self.md5.endswith(".dir")


Listing = Mapping[str, Item]  # path -> what lies there


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml, with `foreach` and `${...}` resolved; paths are relative to the project's folder."""

    name: str
    cmd: str
    deps: tuple[str, ...] = ()
    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # file -> keys; no keys: the whole file
    outs: tuple[str, ...] = ()
    uncached: frozenset[str] = frozenset()  # those of `outs` that lie in git
    meta: Mapping[str, Any] = field(default_factory=dict)
    desc: str = ""

    def __post_init__(self) -> None:
        limits = {"timeout": (int, float), "retries": (int,)}
        for key, kinds in limits.items():
            value = self.meta.get(key)
            least = 0 if key == "retries" else 1
            if value is not None and (isinstance(value, bool) or not isinstance(value, kinds) or value < least):
                unit = "seconds from 1" if key == "timeout" else "tries from 0"
                raise PipelineError(f"dvc.yaml: {self.name} has meta.{key}: {value!r}. Give a number of {unit}.")

    @property
    def timeout(self) -> float | None:
        """Seconds after which it is ended; None: never."""
        return self.meta.get("timeout")

    @property
    def retries(self) -> int:
        """How often it is started again where the machine has ended it, and not the stage itself."""
        return int(self.meta.get("retries") or 0)

    @property
    def group(self) -> str:
        """The name in dvc.yaml: `finetune` of `finetune@42`."""
        return self.name.partition("@")[0]


@dataclass(frozen=True)
class Entry:
    """What dvc.lock (or the run-cache) says about a stage that has run."""

    cmd: str
    deps: Listing
    params: Params
    outs: Listing


@dataclass(frozen=True)
class Graph:
    """The stages, each after those that it reads from."""

    stages: tuple[Stage, ...]
    parents: Mapping[str, tuple[str, ...]]

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """The named stages and everything that they need."""
        found: set[str] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo.extend(self.parents[name])
        return found

    def select(self, targets: Iterable[str]) -> "Graph":
        """The part of the graph that the targets need (all of it without targets).

        Args:
            targets: Names of stages; `finetune` stands for every `finetune@SEED`.

        Raises:
            PipelineError: A target is no stage.
        """
        names: set[str] = set()
        for target in targets:
            matching = {stage.name for stage in self.stages if target in (stage.name, stage.group)}
            if not matching:
                known = ", ".join(dict.fromkeys(stage.group for stage in self.stages))
                raise PipelineError(f"{target} is no stage of dvc.yaml. Name one of: {known}.")
            names |= matching
        wanted = self.ancestors(names) if names else set(self.parents)
        return Graph(tuple(stage for stage in self.stages if stage.name in wanted), self.parents)


def build_graph(stages: Iterable[Stage]) -> Graph:
    """Order the stages by who reads whose outputs.

    Raises:
        PipelineError: Stages wait for each other, or two write the same path.
    """
    stages = list(stages)
    owner: dict[str, Stage] = {}
    for stage in stages:
        for out in stage.outs:
            if out in owner:
                raise PipelineError(f"dvc.yaml: {owner[out].name} and {stage.name} both write {out}. Name it in one.")
            owner[out] = stage
    parents = {stage.name: _parents(stage, owner) for stage in stages}
    try:
        order = list(TopologicalSorter(parents).static_order())
    except CycleError as error:
        raise PipelineError(f"dvc.yaml: these stages wait for each other: {' -> '.join(error.args[1])}.") from error
    position = {name: index for index, name in enumerate(order)}
    return Graph(tuple(sorted(stages, key=lambda stage: position[stage.name])), parents)


def _parents(stage: Stage, owner: Mapping[str, Stage]) -> tuple[str, ...]:
    writers = (writer for out, writer in owner.items() if any(overlap(out, dep) for dep in stage.deps))
    return tuple(dict.fromkeys(writer.name for writer in writers if writer is not stage))


def overlap(one: str, other: str) -> bool:
    """Are the paths the same, or does one hold the other?"""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def folder_item(files: Listing) -> Item:
    """The name that DVC gives to a folder with these files (by path relative to it)."""
    entries = [{"md5": files[path].md5, "relpath": path} for path in sorted(files)]
    return Item(hashlib.md5(json.dumps(entries, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir")


def sub_listing(files: Listing, folder: str) -> dict[str, Item]:
    """The files under `folder`, by path relative to it."""
    return {path.removeprefix(f"{folder}/"): item for path, item in files.items() if path.startswith(f"{folder}/")}
