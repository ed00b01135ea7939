"""The results that DVC keeps, read only: outputs, run-cache entries and folders, in the local cache and the remote."""

import contextlib
import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.hashfile import check
from dvc_data.hashfile import load as load_object
from dvc_data.hashfile.hash_info import HashInfo
from dvc_objects.errors import ObjectFormatError

from pipeline.repository.digests import Digest, Digests
from pipeline.repository.graph import LockEntry, ParamValues, Stage
from pipeline.repository.lock import parse_entry
from pipeline.repository.memory import read_memory
from pipeline.repository.snapshot import Recorded
from pipeline.repository.storage.objects import RemoteStores, folder_files, object_names, open_remote, tree_files
from pipeline.repository.storage.run_cache import RunCache, stage_key
from stages.errors import UnavailableError
from stages.files import write_json

FOLDERS = ".retune/listings"  # files of source folders, which DVC does not keep
Answer = TypeVar("Answer")
log = logging.getLogger(__name__)


class Store:
    """The local cache and the default remote of a DVC repository; nothing in them is changed.

    A Store is made for one plan: its answers are cached.
    """

    def __init__(self, repo: Repo, root: Path) -> None:
        self._cache = repo.cache.local
        self._runs = RunCache(repo.cache.legacy)
        self._repo = repo
        self._folders = root / FOLDERS

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
        elif newest := self._newest_entry(key):  # DVC reads only the newest
            return Recorded(newest, "cache") if self.cached(newest.outs) else None
        first = self._ask_remote(lambda remote: self._first_entry(key, remote))
        return Recorded(first, "remote") if first else None

    def cached(self, outs: Digests) -> bool:
        """Whether the local cache has all of these outputs, undamaged as far as DVC checks."""
        return all(self._cached(digest.md5) for digest in outs.values())

    def folder_files(self, folder: Digest) -> Digests | None:
        """The files of a folder, if the cache, the remote, or the notes of an earlier plan have them; else None."""
        noted = read_memory(self._folders / f"{folder.md5}.json")
        return {name: Digest(str(md5)) for name, md5 in noted.items()} or self._files_of(folder.md5)

    def note_folder(self, folder: Digest, files: Digests) -> None:
        """Note the files of a source folder, so that a later plan can name the file that changed."""
        noted = self._folders / f"{folder.md5}.json"
        if not noted.exists():
            with contextlib.suppress(OSError):  # a plan also works where nothing can be written
                write_json(noted, {name: digest.md5 for name, digest in files.items()})

    @property
    def has_remote(self) -> bool:
        """Whether a default remote is configured and can be opened."""
        return self._remote is not None

    def fetch(self, file: Digest, folder: Path) -> Path | None:
        """The local path of a stored file, downloaded into `folder` if only the remote has it; None if none has it."""
        if self._cache.exists(file.md5):
            return Path(self._cache.oid_to_path(file.md5))
        target = folder / file.md5
        return target if target.exists() or self._ask_remote(lambda remote: _download(file, target, remote)) else None

    @functools.cached_property
    def _remote(self) -> RemoteStores | None:
        try:
            return open_remote(self._repo)
        except (DvcException, UnavailableError) as error:
            _warn_unreachable(error)
            return None

    def _ask_remote(self, question: Callable[[RemoteStores], Answer]) -> Answer | None:
        """The remote's answer; None without a remote, or, with a warning, if it can't be reached."""
        if self._remote is None:
            return None
        try:
            return question(self._remote)
        except (OSError, DvcException) as error:
            _warn_unreachable(error)
            return None

    @functools.cache  # noqa: B019
    def _cached(self, md5: str) -> bool:
        try:
            stored = load_object(self._cache, HashInfo("md5", md5))
            check(self._cache, stored)
        except (FileNotFoundError, ObjectFormatError):
            return False
        if md5.endswith(".dir"):
            tree_files(stored)  # DVC would write a file outside the folder
        return True

    @functools.cache  # noqa: B019
    def _files_of(self, md5: str) -> Digests | None:
        if not md5.endswith(".dir"):
            return {}
        return folder_files(md5, [self._cache, *([self._remote.objects] if self._remote else [])])

    def _available(self, outs: Digests, remote: RemoteStores) -> bool:
        """Whether the remote and the local cache together have all of these outputs."""
        names = object_names((digest.md5 for digest in outs.values()), self._files_of)
        return names is not None and all(
            self._cache.exists(md5) or self._in_remote(md5, remote) for md5 in sorted(names)
        )

    @functools.cache  # noqa: B019
    def _in_remote(self, md5: str, remote: RemoteStores) -> bool:
        return bool(remote.objects.exists(md5))

    def _newest_entry(self, key: str) -> LockEntry | None:
        paths = self._runs.paths(key)
        raw = self._runs.read(paths[-1]) if paths else None
        return parse_entry(raw) if raw else None

    def _first_entry(self, key: str, remote: RemoteStores) -> LockEntry | None:
        """The oldest entry whose outputs are available: workers keep the first result of a key."""
        runs = RunCache(remote.legacy)
        entries = (parse_entry(raw) for path in runs.paths(key) if (raw := runs.read(path)))
        return next((entry for entry in entries if self._available(entry.outs, remote)), None)


def _download(file: Digest, target: Path, remote: RemoteStores) -> bool:
    if not remote.objects.exists(file.md5):
        return False
    remote.objects.fs.get(remote.objects.oid_to_path(file.md5), str(target))
    return True


def _warn_unreachable(error: Exception) -> None:
    log.warning("The DVC remote can't be reached (%s): using the local cache alone.", error)
