"""What DVC has kept: objects and run-cache entries, in the local cache and in the remote."""

import functools
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dvc.config import NoRemoteError, RemoteConfigError
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage.cache import _get_cache_hash
from dvc.utils.serialize import parse_yaml
from dvc_data.hashfile import check
from dvc_data.hashfile import load as load_object
from dvc_data.hashfile.hash_info import HashInfo
from dvc_objects.errors import ObjectFormatError

from pipeline.repository.files import tree_listing
from pipeline.repository.graph import Entry, Item, Listing, Params, Stage
from pipeline.repository.snapshot import Where
from stages.files import write_json

LISTINGS = ".retune/listings"  # content of source folders, which DVC does not keep
log = logging.getLogger(__name__)


class Store:
    """The cache and the default remote of a DVC repository; nothing in them is changed."""

    def __init__(self, repo: Repo, root: Path) -> None:
        self._repo = repo
        self._listings = root / LISTINGS

    def find(
        self, stage: Stage, entry: Entry | None, deps: Listing, params: Params, *, intact: bool
    ) -> tuple[Entry, Where] | None:
        """A result that need not be computed, as DVC looks for it: the lock's own first, else the run-cache's.

        Args:
            stage: The stage.
            entry: What dvc.lock says, where all inputs are those of dvc.lock; else None.
            deps: What lies, or will lie, at each dependency.
            params: The values now.
            intact: Are the uncached outputs in the workspace those of `entry`?
        """
        if not stage.outs or not (stage.deps or stage.params):
            return None
        if entry and set(stage.outs) <= set(entry.outs):
            if self.cached(entry.outs):
                return entry, "cache"
            big = {out: item for out, item in entry.outs.items() if out not in stage.uncached}
            if intact and self._in_remote(big):
                return entry, "remote"
            found = self._remote_entry(run_key(stage, deps, params))
            return (found, "remote") if found else None
        key = run_key(stage, deps, params)
        newest = self._local_entry(key)
        if newest:
            return (newest, "cache") if self.cached(newest.outs) else None
        found = self._remote_entry(key)
        return (found, "remote") if found else None

    def cached(self, outs: Listing) -> bool:
        """Does the local cache have all of it, undamaged as far as DVC looks?"""
        return all(self._cached(item.md5) for item in outs.values())

    def listing(self, item: Item) -> Listing | None:
        """The files of a folder that the cache, the remote, or an earlier plan knows."""
        noted = self._listings / f"{item.md5}.json"
        if noted.is_file():
            return {name: Item(md5) for name, md5 in json.loads(noted.read_text(encoding="utf-8")).items()}
        return self._tree(item.md5)

    def remember(self, item: Item, files: Listing) -> None:
        """Note what a source folder holds, so that a later plan can name the file that changed."""
        noted = self._listings / f"{item.md5}.json"
        if not noted.exists():
            write_json(noted, {name: file.md5 for name, file in files.items()})

    @property
    def has_remote(self) -> bool:
        """Is there a remote to ask?"""
        return self._remote is not None

    def fetch(self, item: Item, folder: Path) -> Path | None:
        """The local path of a file that DVC keeps, downloaded into `folder` where only the remote has it."""
        cache = self._repo.cache.local
        if cache.exists(item.md5):
            return Path(cache.oid_to_path(item.md5))
        target = folder / item.md5
        try:
            if not target.exists() and (self._remote is None or not self._remote.exists(item.md5)):
                return None
            if not target.exists():
                self._remote.fs.get(self._remote.oid_to_path(item.md5), str(target))
        except (OSError, DvcException) as error:
            log.warning("The DVC remote can't be asked (%s).", error)
            return None
        return target

    @functools.cached_property
    def _remote(self) -> Any:
        """The default remote's object store, or None where none is configured."""
        try:
            return self._repo.cloud.get_remote_odb(None, "plan", hash_name="md5")
        except (NoRemoteError, RemoteConfigError):
            return None
        except DvcException as error:
            log.warning("The DVC remote can't be asked (%s): planning with the local cache alone.", error)
            return None

    @functools.cache  # noqa: B019  (a Store lives for one plan)
    def _cached(self, md5: str) -> bool:
        cache = self._repo.cache.local
        try:
            check(cache, load_object(cache, HashInfo("md5", md5)))
        except (FileNotFoundError, ObjectFormatError):
            return False
        return True

    @functools.cache  # noqa: B019
    def _tree(self, md5: str) -> Listing | None:
        for odb in (self._repo.cache.local, self._remote):
            if odb is None:
                continue
            try:
                return tree_listing(load_object(odb, HashInfo("md5", md5)))
            except (FileNotFoundError, ObjectFormatError):
                continue
        return None

    def _in_remote(self, outs: Listing) -> bool:
        """Can all of it be had from the remote or the local cache together?"""
        if self._remote is None:
            return False
        wanted: set[str] = set()
        for item in outs.values():
            tree = self._tree(item.md5) if item.is_folder else {}
            if tree is None:
                return False
            wanted |= {item.md5, *(file.md5 for file in tree.values())}
        return all(self._cached_file(md5) or self._in_remote_file(md5) for md5 in sorted(wanted))

    def _cached_file(self, md5: str) -> bool:
        return bool(self._repo.cache.local.exists(md5))

    @functools.cache  # noqa: B019
    def _in_remote_file(self, md5: str) -> bool:
        return bool(self._remote.exists(md5))

    def _local_entry(self, key: str) -> Entry | None:
        folder = Path(self._repo.stage_cache.cache_dir) / key[:2] / key
        if not folder.is_dir():
            return None
        newest = max(folder.iterdir(), key=lambda path: path.stat().st_mtime, default=None)
        return _parse(newest.read_text(encoding="utf-8"), newest.name) if newest else None

    def _remote_entry(self, key: str) -> Entry | None:
        if self._remote is None:
            return None
        fs = self._remote.fs
        try:
            legacy = self._repo.cloud.get_remote_odb(None, "plan", hash_name="md5-dos2unix")
            folder = fs.join(legacy.path, "runs", key[:2], key)
            found = fs.find(folder) if fs.exists(folder) else []
            paths = sorted(found, key=lambda path: (fs.modified(path), path))  # the first writer's result stands
            for path in paths:
                with fs.open(path, encoding="utf-8") as file:
                    entry = _parse(file.read(), path)
                if entry and self._in_remote(entry.outs):
                    return entry
        except (OSError, DvcException) as error:
            log.warning("The DVC remote can't be asked (%s): planning with the local cache alone.", error)
        return None


def run_key(stage: Stage, deps: Listing, params: Params) -> str:
    """The run-cache key of a stage with these inputs, as DVC computes it from a lock entry."""
    entry: dict[str, Any] = {"cmd": stage.cmd}
    if stage.deps:
        entry["deps"] = [_dump(path, deps[path]) for path in sorted(stage.deps)]
    if stage.params:
        entry["params"] = {file: dict(params[file]) for file in stage.params}
    entry["outs"] = [{"path": path} for path in sorted(stage.outs)]
    return str(_get_cache_hash(entry, key=True))


def read_entry(raw: Mapping[str, Any]) -> Entry:
    """A stage of dvc.lock, or a run-cache entry."""
    return Entry(raw["cmd"], _items(raw.get("deps", ())), raw.get("params", {}), _items(raw.get("outs", ())))


def _items(raw: Iterable[Mapping[str, Any]]) -> dict[str, Item]:
    return {part["path"]: Item(part["md5"], bool(part.get("isexec"))) for part in raw if part.get("md5")}


def _dump(path: str, item: Item) -> dict[str, Any]:
    return {"path": path, "hash": "md5", "md5": item.md5, **({"isexec": True} if item.executable else {})}


def _parse(text: str, name: str) -> Entry | None:
    try:
        return read_entry(parse_yaml(text, name))
    except (DvcException, KeyError, TypeError) as error:
        log.warning("A damaged run-cache entry is left out: %s (%s)", name, error)
        return None
