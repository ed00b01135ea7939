"""The default DVC remote as workers use it: objects, and records.

A record says that a stage is done: its run-cache entry in the remote, written after its outputs, by the first worker
that finished. `dvc push` can push neither the objects of uncached metrics nor a single run-cache entry, so this module
uses DVC's inner functions; contract tests hold what is used.
"""

import hashlib
import io
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.transfer import transfer
from ruamel.yaml import YAML

from pipeline.repository.digests import Digests
from pipeline.repository.lock import RawEntry
from pipeline.repository.opening import open_repo
from pipeline.repository.storage.objects import folder_files, is_damaged, list_files, object_names, open_remote
from pipeline.repository.storage.run_cache import RunCache, entry_key, entry_name
from stages.errors import PipelineError
from stages.files import remove_path

log = logging.getLogger(__name__)


class InputError(PipelineError):
    """An object can't be had from the remote.

    Attributes:
        md5: Its name.
    """

    def __init__(self, message: str, md5: str) -> None:
        super().__init__(message)
        self.md5 = md5


class InputMissingError(InputError):
    """An object is not in the remote, or no longer: the stage that writes it must run again."""


class InputDamagedError(InputError):
    """The bytes of an object do not have the MD5 that it is named after."""


class Remote:
    """The default DVC remote of a project.

    Args:
        root: The project's folder.

    Raises:
        PipelineError: The project has no default remote.
    """

    def __init__(self, root: Path) -> None:
        self._repo = open_repo(root)
        stores = open_remote(self._repo)
        if stores is None:
            raise PipelineError("There is no default DVC remote. Add one and commit it: dvc remote add -d storage URL")
        self._objects = stores.objects
        self._runs = RunCache(stores.legacy)
        self._cache: Any = self._repo.cache.local
        self._folder: str = stores.legacy.path
        self.fs: Any = stores.legacy.fs

    def __enter__(self) -> "Remote":
        return self

    def __exit__(self, *_: object) -> None:
        self._repo.close()

    def path(self, *parts: str) -> str:
        """The path of a file of retune's own, beside DVC's files."""
        return str(self.fs.join(self._folder, "retune", *parts))

    def find(self, key: str) -> RawEntry | None:
        """The record with this run-cache key: the first one whose outputs are all in the remote."""
        for path in self._runs.paths(key):
            entry = self._runs.read(path)
            if entry and self._complete(entry):
                return entry
        return None

    def push(self, entry: RawEntry) -> None:
        """Copy every output of the entry from the cache to the remote, also those that `dvc push` leaves out.

        Raises:
            PipelineError: Not every output is in the remote afterwards.
        """
        wanted = [HashInfo("md5", out["md5"]) for out in entry["outs"]]
        result = transfer(self._cache, self._objects, wanted, shallow=False, cache_odb=self._cache)
        if result.failed or not self._complete(entry):
            raise PipelineError(
                f"Not every output of `{entry['cmd']}` reached {self._objects.path}. See the log above."
            )

    def publish(self, entry: RawEntry, *, replace: bool = False) -> RawEntry:
        """Write the record unless an earlier one exists; return the record that is then in the remote.

        Args:
            entry: The stage as dvc.lock has it.
            replace: Replace an earlier record.
        """
        key, name = entry_key(entry), entry_name(entry)
        standing = None if replace else self.find(key)
        if standing:
            return standing
        for path in self._runs.paths(key):  # DVC would take a record without its objects for this one
            if self.fs.name(path) != name:
                self.remove(path)
        target = self.fs.join(self._runs.folder(key), name)
        text = io.StringIO()
        YAML().dump(_plain(entry), text)
        self.write(target, text.getvalue().encode())
        first = self.find(key)
        if first and entry_name(first) != name:  # another worker wrote its record between the look and the write
            self.remove(target)
            return first
        return entry

    def fetch(self, outs: Iterable[str]) -> None:
        """Download objects into the local cache, and check the MD5 of each.

        Args:
            outs: The MD5 names of files, or of folders (ending in `.dir`), which include their files.

        Raises:
            InputMissingError: An object is not in the remote.
            InputDamagedError: An object does not have the MD5 that it is named after.
        """
        wanted: set[str] = set()
        for out in outs:
            files = self.folder_files(out)
            if files is None:
                raise self._fetch_error(out)
            wanted |= {out, *(digest.md5 for digest in files.values())}
        for md5 in sorted(wanted):
            if is_damaged(self._cache, md5):
                log.warning("Fetching a damaged object of this machine's cache again: %s", self.cached(md5))
                remove_path(self.cached(md5))
        infos = [HashInfo("md5", md5) for md5 in sorted(wanted)]
        transfer(self._objects, self._cache, infos, verify=True, cache_odb=self._cache)
        for md5 in sorted(wanted):
            if not self._cache.exists(md5):
                raise self._fetch_error(md5)

    def cached(self, md5: str) -> Path:
        """The path of a fetched object in the local cache."""
        return Path(self._cache.oid_to_path(md5))

    def read(self, md5: str) -> bytes:
        """The bytes of a file, from the remote and not through the local cache.

        Raises:
            InputMissingError: The object is not in the remote.
            InputDamagedError: The object does not have the MD5 that it is named after.
        """
        try:
            with self.fs.open(self._objects.oid_to_path(md5), "rb") as file:
                content = bytes(file.read())
        except FileNotFoundError as error:
            raise self._fetch_error(md5) from error
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
            raise self._fetch_error(md5)
        return content

    def folder_files(self, md5: str) -> Digests | None:
        """The files of a folder, by path relative to it; empty for a file; None if cache and remote lack the folder."""
        return folder_files(md5, [self._cache, self._objects]) if md5.endswith(".dir") else {}

    def write(self, path: str, content: bytes | Path) -> None:
        """Write a file in the remote; an interrupted write leaves no half file at `path`.

        Args:
            path: Its path in the remote.
            content: The bytes, or the local file to copy.
        """
        temporary = self.path("tmp", uuid4().hex)
        for target in (temporary, path):
            self.fs.makedirs(self.fs.parent(target), exist_ok=True)
        if isinstance(content, Path):
            self.fs.put_file(str(content), temporary)
        else:
            self.fs.pipe_file(temporary, content)
        self.fs.mv(temporary, path)

    def remove(self, path: str) -> None:
        """Remove a file in the remote, if it is there."""
        try:
            self.fs.rm_file(path)
        except FileNotFoundError:
            log.debug("%s was removed already.", path)

    def files(self, folder: str) -> list[str]:
        """Every file under a folder of the remote."""
        return list_files(self.fs, folder)

    def has(self, md5: str) -> bool:
        """Whether the remote has an object of this name."""
        return bool(self._objects.exists(md5))

    def _complete(self, entry: RawEntry) -> bool:
        """Whether the remote has every object of the entry's outputs."""
        names = object_names((out["md5"] for out in entry["outs"]), self.folder_files)
        return names is not None and all(self.has(md5) for md5 in sorted(names))

    def _fetch_error(self, md5: str) -> InputError:
        path = self._objects.oid_to_path(md5)
        if self.has(md5):
            return InputDamagedError(
                f"{path} in the DVC remote is damaged: its MD5 is not {md5}. Delete it: the stage that writes it then "
                "runs again.",
                md5,
            )
        return InputMissingError(f"{path} is not in the DVC remote.", md5)


def _plain(value: Any) -> Any:
    """The value with dicts and lists, which ruamel can write."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
