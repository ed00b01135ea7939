"""The one door to DVC: reads stages, lock entries, hashes, parameters and the run-cache, and changes nothing.

`dvc.repo.Repo` is not a public API, so everything that we know of it stands here and in `store.py`, under contract
tests. What changes the workspace goes through the `dvc` command (`execute.py`).
"""

import contextlib
import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dvc.dependency.param import read_param_file
from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.lock import LockError
from dvc.parsing import DataResolver
from dvc.repo import Repo
from dvc.utils.serialize import load_path, parse_yaml

from pipeline.repository.cache import Store, read_entry
from pipeline.repository.files import Files
from pipeline.repository.graph import Entry, Graph, Item, Listing, Params, Stage, build_graph, overlap
from pipeline.repository.snapshot import MISSING, Where
from stages.errors import PipelineError
from stages.files import read_json
from stages.paths import Paths

UNSUPPORTED = ("frozen", "always_changed", "wdir")  # they would switch the run-cache off or move the paths
HISTORY = ".retune/seconds.json"  # stage -> seconds of its last run, whoever's parameters it had


class Project:
    """The project's folder as a plan sees it: `pipeline.repository.snapshot.World` over a real DVC repository.

    Args:
        root: The project's folder.
        rev: Read code, data, dvc.yaml, dvc.lock and params.yaml from this git revision instead of the workspace.
        params_text: Take this for the content of params.yaml.

    Raises:
        PipelineError: It is no DVC project, the revision is unknown, or dvc.yaml or dvc.lock can't be read.
    """

    def __init__(self, root: Path, *, rev: str | None = None, params_text: str | None = None) -> None:
        self.root = root
        try:
            self._repo = Repo(str(root))
        except NotDvcRepoError as error:
            raise PipelineError(f"{root} is no DVC project. Make it one with: dvc init") from error
        overlay = {} if params_text is None else {"params.yaml": params_text}
        self._files = Files(self._repo, rev=rev, overlay=overlay)
        self._workspace = Files(self._repo) if rev else self._files  # outputs lie there whatever the revision
        self.store = Store(self._repo, root)
        self._outs: set[str] = set()
        self.graph: Graph = self._read_graph()
        self._lock = self._read_lock()
        self._history = _read_history(root)

    def close(self) -> None:
        """Release what DVC holds open."""
        self._repo.close()

    def __enter__(self) -> "Project":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, path: str) -> str | None:
        """The text of a project file, or None if it is not there."""
        return self._files.read(path)

    def locked(self, stage: str) -> Entry | None:
        """See `World.locked`."""
        entry = self._lock.get(stage)
        return read_entry(entry) if entry else None

    def locked_names(self) -> tuple[str, ...]:
        """Every stage that dvc.lock names, also those that dvc.yaml has no more."""
        return tuple(self._lock)

    @functools.cache  # noqa: B019  (a Project lives for one plan)
    def present(self, path: str) -> Item | None:
        """See `World.present`."""
        files = self._workspace if path in self._outs else self._files
        item, content = files.item(path)
        if item and content is not None and path not in self._outs:
            self.store.remember(item, content)
        return item

    def files(self, folder: str) -> Listing:
        """See `World.files`; what the next run prunes counts as gone."""
        gone = self.leftovers()
        files = self._files.listing(folder).items()
        return {name: item for name, item in files if not any(overlap(f"{folder}/{name}", path) for path in gone)}

    @functools.cache  # noqa: B019
    def leftovers(self) -> tuple[str, ...]:
        """Paths that no stage owns any more: a fresh clone has none, so they must not count in a folder's hash.

        They are the outputs of stages that dvc.lock has and dvc.yaml hasn't, and the folders of numbers that a
        `foreach` over numbers has no more.
        """
        names = {stage.name for stage in self.graph.stages}
        stale = {out for name in self._lock if name not in names for out in read_entry(self._lock[name]).outs}
        for stage in self.graph.stages:
            item = stage.name.partition("@")[2]
            bases = {out.partition(f"/{item}/")[0] for out in stage.outs if item.isdigit() and f"/{item}/" in out}
            for folder in [path for base in bases for path in (self.root / base).glob("*") if path.is_dir()]:
                if folder.name.isdigit():
                    stale.add(folder.relative_to(self.root).as_posix())
        return tuple(sorted(path for path in stale if not any(overlap(path, out) for out in self._outs)))

    def param(self, file: str, key: str) -> Any:
        """See `World.param`."""
        values = self._param_file(file)
        if values is None:
            return MISSING
        return values if not key else values.get(key, MISSING)

    def listing(self, item: Item, path: str) -> Listing | None:
        """See `World.listing`."""
        return self.store.listing(item) or self._files.find_listing(item, path)

    def cached(self, outs: Listing) -> bool:
        """See `World.cached`."""
        return self.store.cached(outs)

    def recorded(self, stage: Stage, entry: Entry | None, deps: Listing, params: Params) -> tuple[Entry, Where] | None:
        """See `World.recorded`."""
        return self.store.find(stage, entry, deps, params, intact=self._intact(stage, entry) if entry else False)

    def seconds(self, stage: Stage) -> float | None:
        """See `World.seconds`: the last run's, else what timing.json says, else a sibling's of the same group."""
        names = [stage.name, *(other.name for other in self.graph.stages if other.group == stage.group)]
        for name in names:
            if name in self._history:
                return self._history[name]
            timing = Paths(self.root).timing(name)
            if timing.is_file():
                with contextlib.suppress(json.JSONDecodeError, KeyError, TypeError):
                    return float(read_json(timing)["seconds"])
        return None

    def _intact(self, stage: Stage, entry: Entry) -> bool:
        """Do the uncached outputs lie in the workspace as dvc.lock has them (a clone brings them through git)?"""
        items = ((self.present(out), entry.outs.get(out)) for out in stage.outs if out in stage.uncached)
        return all(now and before and now.md5 == before.md5 for now, before in items)

    @functools.cache  # noqa: B019
    def _param_file(self, file: str) -> Mapping[str, Any] | None:
        if not self._files.fs.exists(self._files.path(file)):
            return None
        keys = [key for stage in self.graph.stages for key in stage.params.get(file, ())]
        whole = any(file in stage.params and not stage.params[file] for stage in self.graph.stages)
        try:
            values = read_param_file(self._files.fs, self._files.path(file), keys, flatten=True) if keys else {}
            return {**(load_path(self._files.path(file), self._files.fs) if whole else {}), **values}
        except DvcException as error:
            raise PipelineError(f"{file} can't be read: {_one_line(error)}") from error

    def _read_graph(self) -> Graph:
        text = self._files.read("dvc.yaml")
        if text is None:
            raise PipelineError(f"There is no dvc.yaml in {self._files.name}. Name a revision that has one.")
        try:
            data = parse_yaml(text, "dvc.yaml")
            resolved = DataResolver(self._files, self._files.path(""), data).resolve()["stages"]
        except DvcException as error:
            raise PipelineError(f"dvc.yaml can't be read: {_one_line(error)}") from error
        stages = [_stage(name, definition) for name, definition in resolved.items()]
        self._outs = {out for stage in stages for out in stage.outs}
        return build_graph(stages)

    def _read_lock(self) -> dict[str, Any]:
        with _hold(self._repo) if not self._files.rev else contextlib.nullcontext():
            text = self._files.read("dvc.lock")
        return parse_lock(text or "", name=f"dvc.lock in {self._files.name}")


def parse_lock(text: str, *, name: str) -> dict[str, Any]:
    """The stages of a dvc.lock.

    Raises:
        PipelineError: The file is damaged.
    """
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import Invalid

    try:
        data = parse_yaml(text, name)
        if data:
            COMPILED_LOCKFILE_SCHEMA(data)
        return dict(data.get("stages") or {})
    except (DvcException, Invalid) as error:
        raise PipelineError(f"{name} is damaged. Take it from git, or remove it: the cache has the results.") from error


@contextlib.contextmanager
def _hold(repo: Repo) -> Iterator[None]:
    """DVC writes dvc.lock in place, so it is read while no DVC writes; a long `dvc push` is not waited for."""
    try:
        repo.lock.lock()
    except LockError:
        yield
        return
    try:
        yield
    finally:
        repo.lock.unlock()


def _stage(name: str, definition: Mapping[str, Any]) -> Stage:
    for key in UNSUPPORTED:
        if definition.get(key):
            raise PipelineError(f"dvc.yaml: {name} has {key}: retune can't plan with it. Remove it.")
    outs = {path: flags for kind in ("outs", "metrics", "plots") for path, flags in _flags(definition.get(kind, ()))}
    if persistent := [path for path, flags in outs.items() if flags.get("persist")]:
        raise PipelineError(f"dvc.yaml: {name} has persist on {persistent[0]}: no run-cache. Remove it.")
    params: dict[str, tuple[str, ...]] = {}
    for entry in definition.get("params", ()):
        for file, keys in ({"params.yaml": [entry]} if isinstance(entry, str) else entry).items():
            params[file] = (*params.get(file, ()), *(keys or ()))
    return Stage(
        name=name,
        cmd=definition["cmd"],
        deps=tuple(dict.fromkeys(definition.get("deps", ()))),
        params=params,
        outs=tuple(outs),
        uncached=frozenset(path for path, flags in outs.items() if flags.get("cache") is False),
        meta=definition.get("meta") or {},
        desc=definition.get("desc") or "",
    )


def _flags(entries: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for entry in entries:
        yield from ([(entry, {})] if isinstance(entry, str) else entry.items())


def _read_history(root: Path) -> dict[str, float]:
    try:
        return dict(read_json(root / HISTORY))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
