"""DVC's object stores: opening the default remote, the files of a stored folder, and which objects outputs need."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.config import NoRemoteError, RemoteConfigError
from dvc.repo import Repo
from dvc_objects.fs.errors import RemoteMissingDepsError

from pipeline.repository.confinement import check_md5, is_plain
from pipeline.repository.digests import Digest, Digests
from stages.errors import PipelineError, UnavailableError
from stages.special_files import SpecialFileError, open_regular

MOST_BYTES = 1_000_000  # of a file whose content a plan reads

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class RemoteStores:
    """The two object stores of a DVC remote.

    Attributes:
        objects: Files and folders, under their MD5.
        legacy: The store beside which DVC keeps the run-cache.
    """

    objects: Any
    legacy: Any


def open_remote(repo: Repo) -> RemoteStores | None:
    """The default remote, or None if none is configured.

    Raises:
        UnavailableError: DVC lacks the package for this kind of remote.
    """
    try:
        return RemoteStores(
            objects=repo.cloud.get_remote_odb(None, "push", hash_name="md5"),
            legacy=repo.cloud.get_remote_odb(None, "push", hash_name="md5-dos2unix"),
        )
    except (NoRemoteError, RemoteConfigError):
        return None
    except (ImportError, RemoteMissingDepsError) as error:
        problem = " ".join(str(error).split())
        raise UnavailableError(f"the DVC remote needs a package: {problem}. Install it with pip") from error


def is_damaged(store: Any, md5: str) -> bool:
    """Whether a store has other bytes under this name than those with this MD5; DVC itself trusts names.

    Args:
        store: An object store.
        md5: The name of a file, or of a folder (ending in `.dir`), whose own files are not read.
    """
    path = store.oid_to_path(md5)
    try:
        if md5.endswith(".dir"):
            return _parse_folder(store.fs.cat_file(path), md5) is None
        with store.fs.open(path, "rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest() != md5
    except FileNotFoundError:
        return False
    except IsADirectoryError:
        return True


def folder_files(md5: str, stores: Iterable[Any]) -> dict[str, Digest] | None:
    """The files of a stored folder, by path relative to it, from the first store that has it undamaged; else None.

    Args:
        md5: The folder's name, ending in `.dir`.
        stores: Object stores.

    Raises:
        PipelineError: The folder names a file outside itself.
    """
    for store in stores:
        path = store.oid_to_path(md5)
        try:
            files = _parse_folder(store.fs.cat_file(path), md5)
        except (FileNotFoundError, IsADirectoryError):
            continue
        if files is None:
            log.warning("Skipping a damaged object: %s is not a list of files, or its MD5 is not its name.", path)
            continue
        check_files(files, md5, path)
        return files
    return None


def small_content(store: Any, folder: Digest, name: str) -> bytes | None:
    """The content of a small file of a stored folder; empty if it has no such file, None if the store can't tell.

    Nothing is said of damage, because nothing depends on the answer but what a person is shown.

    Args:
        store: On this machine.
        folder: The folder.
        name: The file's path in it.
    """
    try:
        files = _parse_folder(_small_object(store, folder.md5), folder.md5)
        if files is None or name not in files:
            return None if files is None else b""
        md5 = files[name].md5
        content = _small_object(store, md5)
    except (OSError, RuntimeError, ValueError, PipelineError, SpecialFileError):
        return None
    return content if hashlib.md5(content, usedforsecurity=False).hexdigest() == md5 else None


def _small_object(store: Any, md5: str) -> bytes:
    check_md5(md5)
    with open_regular(Path(store.oid_to_path(md5))) as file:
        return file.read(MOST_BYTES)


def tree_files(tree: Any) -> dict[str, Digest]:
    """The files of a DVC tree object, by path relative to it.

    Raises:
        PipelineError: A path leads out of the folder, or a file has no MD5: DVC would write there.
    """
    files = {"/".join(key): Digest(info.value if info else "") for key, _, info in tree}
    check_files(files, tree.oid, tree.path)
    return files


def check_files(files: Digests, name: str, path: str) -> None:
    """Check the files of a stored folder before anything is written to their paths.

    Args:
        files: By path relative to the folder.
        name: The folder's name in the store.
        path: Where the store has it.

    Raises:
        PipelineError: A path leads out of the folder, or a file has no MD5: DVC would write there.
    """
    for file, digest in files.items():
        if not is_plain(file):
            raise PipelineError(f"The stored folder {name} names a file outside itself: {file!r}. Delete {path}")
        check_md5(digest.md5)


def _parse_folder(content: bytes, md5: str) -> dict[str, Digest] | None:
    """The files that a stored folder lists; None if it is damaged: it has another MD5, or is no list of files."""
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5.removesuffix(".dir"):
        return None
    try:
        return {str(entry["relpath"]): Digest(entry["md5"]) for entry in json.loads(content)}
    except (ValueError, RecursionError, KeyError, TypeError):
        return None


def object_names(outs: Iterable[str], files_of: Callable[[str], Digests | None]) -> set[str] | None:
    """The MD5 names of all objects of some outputs, including the files of folders; None if a folder is unknown.

    Args:
        outs: The MD5 names of the outputs.
        files_of: Returns the files of a folder, nothing for a file, None for a folder that it does not know.
    """
    names: set[str] = set()
    for md5 in outs:
        files = files_of(md5)
        if files is None:
            return None
        names |= {md5, *(digest.md5 for digest in files.values())}
    return names


def list_files(fs: Any, folder: str) -> list[str]:
    """Every file under a folder of a file system, as it is now: fsspec's own list may be out of date."""
    fs.fs.invalidate_cache()
    return sorted(fs.find(folder)) if fs.exists(folder) else []
