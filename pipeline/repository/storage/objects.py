"""DVC's object stores: opening the default remote, the files of a stored folder, and which objects outputs need."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dvc.config import NoRemoteError, RemoteConfigError
from dvc.repo import Repo
from dvc_data.hashfile import load as load_object
from dvc_data.hashfile.hash_info import HashInfo
from dvc_objects.errors import ObjectFormatError
from dvc_objects.fs.errors import RemoteMissingDepsError

from pipeline.repository.confinement import check_md5, is_plain
from pipeline.repository.digests import Digest, Digests
from stages.errors import PipelineError, UnavailableError


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


def folder_files(md5: str, stores: Iterable[Any]) -> dict[str, Digest] | None:
    """The files of a stored folder, by path relative to it, from the first store that has it; else None.

    Args:
        md5: The folder's name, ending in `.dir`.
        stores: Object stores.

    Raises:
        PipelineError: The folder names a file outside itself.
    """
    for store in stores:
        try:
            return tree_files(load_object(store, HashInfo("md5", md5)))
        except (FileNotFoundError, ObjectFormatError):
            continue
    return None


def tree_files(tree: Any) -> dict[str, Digest]:
    """The files of a DVC tree object, by path relative to it.

    Raises:
        PipelineError: A path leads out of the folder, or a file has no MD5: DVC would write there.
    """
    files = {"/".join(key): Digest(info.value if info else "") for key, _, info in tree}
    for name, digest in files.items():
        if not is_plain(name):
            raise PipelineError(
                f"The stored folder {tree.oid} names a file outside itself: {name!r}. Delete {tree.path}"
            )
        check_md5(digest.md5)
    return files


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
