"""The record that a stage is done: its run-cache entry in the DVC remote, written last, by the first who is done.

Like `graph.py` this is a door to DVC's inside: the command `dvc push` can push neither the objects of uncached metrics
nor one single run-cache entry. Contract tests hold what is used here.
"""

import hashlib
import io
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from dvc.config import NoRemoteError, RemoteConfigError
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage.cache import _get_cache_hash
from dvc.utils.serialize import parse_yaml
from dvc_data.hashfile import load as load_object
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.transfer import transfer
from dvc_objects.errors import ObjectFormatError
from ruamel.yaml import YAML

from pipeline.repository.files import tree_listing
from pipeline.repository.graph import Listing
from pipeline.repository.lock import RawEntry
from stages.errors import PipelineError

log = logging.getLogger(__name__)


class InputMissingError(PipelineError):
    """An object is not in the remote (any more): whoever writes it must run again."""


class InputDamagedError(PipelineError):
    """An object in the remote is not what its name says."""


class Remote:
    """The default DVC remote of a project.

    Args:
        root: The project's folder.

    Raises:
        PipelineError: The project has no default remote.
    """

    def __init__(self, root: Path) -> None:
        self._repo = Repo(str(root))
        try:
            self._objects: Any = self._repo.cloud.get_remote_odb(None, "push", hash_name="md5")
            self._runs: Any = self._repo.cloud.get_remote_odb(None, "push", hash_name="md5-dos2unix")
        except (NoRemoteError, RemoteConfigError) as error:
            raise PipelineError(
                "There is no default DVC remote. Add one and commit it: dvc remote add -d storage URL"
            ) from error
        self._cache: Any = self._repo.cache.local
        self.fs: Any = self._runs.fs

    def __enter__(self) -> "Remote":
        return self

    def __exit__(self, *_: object) -> None:
        self._repo.close()

    def path(self, *parts: str) -> str:
        """The path of something of ours beside DVC's own files."""
        return str(self.fs.join(self._runs.path, "retune", *parts))

    def find(self, key: str) -> RawEntry | None:
        """The entry of the first writer whose objects are all there."""
        for path in self._paths(key):
            entry = self._read_entry(path)
            if entry and self._complete(entry):
                return entry
        return None

    def push(self, entry: RawEntry) -> None:
        """Copy every output of the entry, also those that `dvc push` leaves out, from the cache to the remote.

        Raises:
            PipelineError: Not all of it arrived.
        """
        wanted = [HashInfo("md5", out["md5"]) for out in entry["outs"]]
        result = transfer(self._cache, self._objects, wanted, shallow=False, cache_odb=self._cache)
        if result.failed or not self._complete(entry):
            raise PipelineError(
                f"Not every output of `{entry['cmd']}` reached {self._objects.path}. See the log above."
            )

    def publish(self, entry: RawEntry, *, replace: bool = False) -> RawEntry:
        """Write the record, unless another writer was first; return the one that stands.

        Args:
            entry: The stage as dvc.lock has it.
            replace: Write it in the place of an earlier one.
        """
        key, name = key_of(entry), str(_get_cache_hash(dict(entry)))
        standing = None if replace else self.find(key)
        if standing:
            return standing
        for path in self._paths(key):  # a record without its objects would stand in DVC's way
            if self.fs.name(path) != name:
                self.remove(path)
        target = self.fs.join(self._folder(key), name)
        text = io.StringIO()
        YAML().dump(_plain(entry), text)
        self.write(target, text.getvalue().encode())
        first = self.find(key)
        if first and str(_get_cache_hash(dict(first))) != name:  # another one came between looking and writing
            self.remove(target)
            return first
        return entry

    def fetch(self, items: Iterable[str]) -> None:
        """Bring objects into the local cache, each checked against its name.

        Args:
            items: Their MD5 names; `.dir` for a folder with all its files.

        Raises:
            InputMissingError: One is not in the remote.
            InputDamagedError: One is not what its name says.
        """
        wanted: set[str] = set()
        for name in items:
            files = self.listing(name)
            if files is None:
                raise self._complaint(name)
            wanted |= {name, *(item.md5 for item in files.values())}
        infos = [HashInfo("md5", md5) for md5 in sorted(wanted)]
        transfer(self._objects, self._cache, infos, verify=True, cache_odb=self._cache)
        for md5 in sorted(wanted):
            if not self._cache.exists(md5):
                raise self._complaint(md5)

    def cached(self, md5: str) -> Path:
        """Where the local cache has a fetched object."""
        return Path(self._cache.oid_to_path(md5))

    def read(self, md5: str) -> bytes:
        """The bytes of a file's object, straight from the remote.

        Raises:
            InputMissingError: It is not there.
            InputDamagedError: It is not what its name says.
        """
        try:
            with self.fs.open(self._objects.oid_to_path(md5), "rb") as file:
                content = bytes(file.read())
        except FileNotFoundError as error:
            raise self._complaint(md5) from error
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
            raise self._complaint(md5)
        return content

    def listing(self, md5: str) -> Listing | None:
        """The files of a folder, by path relative to it; empty for a file; None if nobody knows the folder."""
        if not md5.endswith(".dir"):
            return {}
        for odb in (self._cache, self._objects):
            try:
                return tree_listing(load_object(odb, HashInfo("md5", md5)))
            except (FileNotFoundError, ObjectFormatError):
                continue
        return None

    def write(self, path: str, content: bytes | Path) -> None:
        """Write a whole file in the remote, or none.

        Args:
            path: Where.
            content: The bytes, or a local file.
        """
        temporary = self.path("tmp", uuid4().hex)
        for each in (temporary, path):
            self.fs.makedirs(self.fs.parent(each), exist_ok=True)
        if isinstance(content, Path):
            self.fs.put_file(str(content), temporary)
        else:
            self.fs.pipe_file(temporary, content)
        self.fs.mv(temporary, path)

    def remove(self, path: str) -> None:
        """Remove a file in the remote; another may have been faster."""
        try:
            self.fs.rm_file(path)
        except FileNotFoundError:
            log.debug("%s was gone already.", path)

    def files(self, folder: str) -> list[str]:
        """Every file under a folder of the remote."""
        self.fs.fs.invalidate_cache()
        return sorted(self.fs.find(folder)) if self.fs.exists(folder) else []

    def _folder(self, key: str) -> str:
        return str(self.fs.join(self._runs.path, "runs", key[:2], key))

    def _paths(self, key: str) -> list[str]:
        return sorted(self.files(self._folder(key)), key=lambda path: (self.fs.modified(path), path))

    def _read_entry(self, path: str) -> RawEntry | None:
        try:
            with self.fs.open(path, encoding="utf-8") as file:
                entry: RawEntry = parse_yaml(file.read(), path)
            return entry if isinstance(entry, Mapping) and "outs" in entry else None
        except (FileNotFoundError, DvcException) as error:
            log.warning("A damaged run-cache entry is left out: %s (%s)", path, error)
            return None

    def _complete(self, entry: RawEntry) -> bool:
        """Does the remote have every object of the entry?"""
        wanted: set[str] = set()
        for out in entry["outs"]:
            files = self.listing(out["md5"])
            if files is None:
                return False
            wanted |= {out["md5"], *(item.md5 for item in files.values())}
        return all(self.has(md5) for md5 in sorted(wanted))

    def has(self, md5: str) -> bool:
        """Is there an object of this name?"""
        return bool(self._objects.exists(md5))

    def _complaint(self, md5: str) -> PipelineError:
        path = self._objects.oid_to_path(md5)
        if self.has(md5):
            return InputDamagedError(
                f"{path} in the DVC remote is damaged: its MD5 is not {md5}. Remove it: the stage that writes it then "
                "runs again."
            )
        return InputMissingError(f"{path} is missing in the DVC remote.")


def key_of(entry: RawEntry) -> str:
    """The run-cache key of a lock entry."""
    return str(_get_cache_hash(dict(entry), key=True))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
