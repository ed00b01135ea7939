"""The results that DVC keeps: outputs, run-cache entries and folders, in the local cache and the remote."""

import contextlib
import functools
import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_objects.errors import ObjectFormatError

from pipeline.repository.digests import Digest, Digests
from pipeline.repository.graph import LockEntry, ParamValues, Stage
from pipeline.repository.lock import RawEntry, parse_entry
from pipeline.repository.memory import read_memory
from pipeline.repository.snapshot import Recorded, Where
from pipeline.repository.storage.objects import (
    RemoteStores,
    folder_files,
    is_damaged,
    object_names,
    open_remote,
    small_content,
)
from pipeline.repository.storage.run_cache import RunCache, stage_key
from stages.errors import UnavailableError
from stages.files import write_json

FOLDERS = ".retune/listings"  # files of source folders, which DVC does not keep
Answer = TypeVar("Answer")
log = logging.getLogger(__name__)


class Store:
    """The local cache and the default remote of a DVC repository; only `forget` and `remember` change anything in them.

    A Store is made for one plan: its answers are cached.

    Args:
        repo: The DVC repository.
        root: The project's folder.
        unusable: Objects of the remote that count as missing, because they were found damaged.

    Attributes:
        is_unreachable: Whether the remote was asked, and could not be reached.
    """

    def __init__(self, repo: Repo, root: Path, *, unusable: Collection[str] = ()) -> None:
        self._unusable = unusable
        self._cache = repo.cache.local
        self._runs = RunCache(repo.cache.legacy)
        self._repo = repo
        self._folders = root / FOLDERS
        self.is_unreachable = False

    def find_result(
        self, stage: Stage, entry: LockEntry | None, deps: Digests, params: ParamValues, *, intact: bool
    ) -> Recorded | None:
        """A result that needs no run, looked up in DVC's order: the entry of dvc.lock, then the run-cache.

        Args:
            stage: The stage.
            entry: Its entry in dvc.lock if every input equals that entry, else None.
            deps: The digest that each dependency has, or will have.
            params: The current values.
            intact: Whether the uncached outputs in the workspace are those of `entry`.
        """
        if not stage.outs or not (stage.deps or stage.params):
            return None
        key = stage_key(stage, deps, params)
        if entry and set(stage.outs) <= set(entry.outs):
            if self.cached(entry.outs):
                return Recorded(entry, "cache")
            pushed = {out: digest for out, digest in entry.outs.items() if out not in stage.uncached}
            if intact and self._ask_remote(lambda remote: self._available(pushed, remote)):
                return Recorded(entry, "remote")
            known = None
        else:
            known = self._newest_entry(key)  # DVC reads only the newest
            if known and self.cached(known.outs):
                return Recorded(known, "cache")
        found = self._ask_remote(lambda remote: self._first_entry(key, remote) or self._complete(known, remote))
        return Recorded(found, "remote") if found else None

    def cached(self, outs: Digests) -> bool:
        """Whether the local cache has all of these outputs, undamaged as far as DVC checks."""
        return all(self._cached(digest.md5) for digest in outs.values())

    def where(self, outs: Digests) -> Where | None:
        """Where all of these outputs can be had: in the cache, or with the remote's help; None: nowhere."""
        if self.cached(outs):
            return "cache"
        return "remote" if self._ask_remote(lambda remote: self._available(outs, remote)) else None

    def folder_files(self, folder: Digest, *, noted: bool = True) -> Digests | None:
        """The files of a folder, if the cache, the remote, or the notes of an earlier plan have them; else None.

        Args:
            folder: The folder.
            noted: Read those notes.
        """
        notes = read_memory(self._folders / f"{folder.md5}.json") if noted else {}
        return {name: Digest(str(md5)) for name, md5 in notes.items()} or self._files_of(folder.md5)

    def note_folder(self, folder: Digest, files: Digests) -> None:
        """Note the files of a source folder, so that a later plan can name the file that changed."""
        noted = self._folders / f"{folder.md5}.json"
        if not noted.exists():
            with contextlib.suppress(OSError):  # a plan also works where nothing can be written
                write_json(noted, {name: digest.md5 for name, digest in files.items()})

    def content(self, folder: Digest, name: str) -> bytes | None:
        """See `Snapshot.content`: what the local cache has, undamaged."""
        return small_content(self._cache, folder, name)

    @property
    def has_remote(self) -> bool:
        """Whether a default remote is configured and can be opened."""
        return self._remote is not None

    def fetch(self, file: Digest, folder: Path) -> Path | None:
        """The local path of a stored file, downloaded into `folder` if only the remote has it; None if none has it.

        A damaged object counts as missing, with a warning.
        """
        if self._has_sound(self._cache, file):
            return Path(self._cache.oid_to_path(file.md5))
        target = folder / file.md5
        return (
            target if target.exists() or self._ask_remote(lambda remote: self._download(file, target, remote)) else None
        )

    @functools.cached_property
    def _remote(self) -> RemoteStores | None:
        try:
            return open_remote(self._repo)
        except (DvcException, UnavailableError) as error:
            self._warn_unreachable(error)
            return None

    def _ask_remote(self, question: Callable[[RemoteStores], Answer]) -> Answer | None:
        """The remote's answer; None without a remote, or, with a warning, if it can't be reached."""
        if self._remote is None:
            return None
        try:
            return question(self._remote)
        except (OSError, DvcException) as error:
            self._warn_unreachable(error)
            return None

    @functools.cache  # noqa: B019
    def _cached(self, md5: str) -> bool:
        files = folder_files(md5, [self._cache]) if md5.endswith(".dir") else {}
        if files is None:
            return False
        try:
            for name in {md5, *(digest.md5 for digest in files.values())}:
                self._cache.check(name)
        except (FileNotFoundError, ObjectFormatError):
            return False
        return True

    @functools.cache  # noqa: B019
    def _files_of(self, md5: str) -> Digests | None:
        if not md5.endswith(".dir"):
            return {}
        return folder_files(md5, [self._cache, *([self._remote.objects] if self._remote else [])])

    def forget(self, entry: RawEntry, *, since: float) -> None:
        """Remove a result from the local run-cache if it was recorded after a moment, in seconds since 1970."""
        self._runs.remove(entry, since=since)

    def remember(self, entry: RawEntry) -> None:
        """Write a result into the local run-cache."""
        self._runs.write(entry)

    def _available(self, outs: Digests, remote: RemoteStores) -> bool:
        """Whether the remote and the local cache together have all of these outputs."""
        names = object_names((digest.md5 for digest in outs.values()), self._files_of)
        return names is not None and all(
            self._cache.exists(md5) or self._in_remote(md5, remote) for md5 in sorted(names)
        )

    @functools.cache  # noqa: B019
    def _in_remote(self, md5: str, remote: RemoteStores) -> bool:
        return md5 not in self._unusable and bool(remote.objects.exists(md5))

    def _newest_entry(self, key: str) -> LockEntry | None:
        paths = self._runs.paths(key)
        raw = self._runs.read(paths[-1]) if paths else None
        return parse_entry(raw) if raw else None

    def _complete(self, entry: LockEntry | None, remote: RemoteStores) -> LockEntry | None:
        """The entry, if its outputs are available: the run-cache may have been pulled without them."""
        return entry if entry and self._available(entry.outs, remote) else None

    def _first_entry(self, key: str, remote: RemoteStores) -> LockEntry | None:
        """The oldest entry whose outputs are available: workers keep the first result of a key."""
        runs = RunCache(remote.legacy)
        entries = (parse_entry(raw) for path in runs.paths(key) if (raw := runs.read(path)))
        return next((entry for entry in entries if self._complete(entry, remote)), None)

    def _download(self, file: Digest, target: Path, remote: RemoteStores) -> bool:
        if not self._has_sound(remote.objects, file):
            return False
        remote.objects.fs.get(remote.objects.oid_to_path(file.md5), str(target))
        return True

    def _has_sound(self, store: Any, file: Digest) -> bool:
        if is_damaged(store, file.md5):
            log.warning("Skipping a damaged object: the MD5 of %s is not its name.", store.oid_to_path(file.md5))
            return False
        return bool(store.exists(file.md5))

    def _warn_unreachable(self, error: Exception) -> None:
        self.is_unreachable = True
        log.warning("The DVC remote can't be reached (%s): using the local cache alone.", error)
