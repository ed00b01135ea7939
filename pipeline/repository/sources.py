"""Sources: data that `dvc add` tracks. The file `PATH.dvc`, which is in git, names the MD5 of what belongs at PATH."""

import posixpath
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from dvc.exceptions import DvcException
from dvc.schema import COMPILED_SINGLE_STAGE_SCHEMA
from dvc.utils.serialize import parse_yaml
from voluptuous import Invalid

from pipeline.repository.confinement import check_md5, is_plain
from pipeline.repository.digests import Digest, Digests, files_under, folder_digest, with_parents
from pipeline.repository.file_tree import FileTree
from stages.errors import PipelineError

SUFFIX = ".dvc"
State = Literal["absent", "tracked", "changed"]


@dataclass(frozen=True)
class Source:
    """A file or folder that `dvc add` tracks.

    Attributes:
        path: Where it belongs.
        digest: What belongs there.
    """

    path: str
    digest: Digest

    @property
    def file(self) -> str:
        """The file in git that tracks it."""
        return self.path + SUFFIX

    def state(self, tree: FileTree) -> State:
        """Whether nothing is at its path, what belongs there, or something else."""
        now, files = tree.digest(self.path)
        if now is None or files == {}:  # a clone has the folder where the `.gitignore` of what is in it is in git
            return "absent"
        return "tracked" if now.md5 == self.digest.md5 else "changed"


def find_sources(tree: FileTree, path: str, files: Digests | None) -> tuple[Source, ...]:
    """The sources at a path, around it, and in it.

    Args:
        tree: The project's files.
        path: A dependency of a stage.
        files: The files that are there now, if it is a folder.

    Raises:
        PipelineError: A `.dvc` file can't be read.
    """
    place = posixpath.normpath(path)
    if not is_plain(place):  # outside the project
        return ()
    inside = [f"{place}/{name}" for name in files or () if name.endswith(SUFFIX)]
    candidates = [*(f"{above}{SUFFIX}" for above in with_parents(place)), *inside]
    return tuple(source for name in candidates if (source := _read(tree, name)))


def with_sources(
    path: str,
    digest: Digest | None,
    files: Digests | None,
    sources: Iterable[Source],
    files_of: Callable[[Source], Digests | None],
) -> tuple[Digest | None, Digests | None]:
    """The digest that a path has once all absent sources are in their places, and its files if it is a folder.

    Args:
        path: A dependency of a stage.
        digest: What is there now; None: nothing.
        files: Its files, if it is a folder.
        sources: The sources at, around and in the path.
        files_of: Returns the files of a source that is a folder; None if they are unknown.

    Returns:
        Nothing if nothing will be there, or the files of an absent source are unknown.
    """
    place = posixpath.normpath(path)
    for source in sources:
        inside = files_of(source) if source.digest.is_folder else None
        if source.path.startswith(f"{place}/"):
            name, whole = source.path.removeprefix(f"{place}/"), dict(files or {})
            if name in whole or files_under(whole, name):
                continue
            if source.digest.is_folder and inside is None:
                return None, None
            added = {f"{name}/{file}": of for file, of in inside.items()} if inside is not None else {}
            files = whole | (added or {name: source.digest})
            digest = folder_digest(files)
        elif digest is None or files == {}:
            if source.path == place:
                digest, files = source.digest, inside
            else:
                name = place.removeprefix(f"{source.path}/")
                files = files_under(inside or {}, name) or None
                digest = (inside or {}).get(name) or (folder_digest(files) if files else None)
    return digest, files


def _read(tree: FileTree, name: str) -> Source | None:
    """What a `.dvc` file tracks; None if there is no such file, or it names no MD5 of a path beside it.

    Raises:
        PipelineError: It is damaged, or of DVC 2.
    """
    text = tree.read(name) if tree.is_file(name) else None
    if text is None:
        return None
    path = name.removesuffix(SUFFIX)
    try:
        data: Any = COMPILED_SINGLE_STAGE_SCHEMA(parse_yaml(text, name))
        outs = [out for out in data.get("outs", ()) if out["path"] == posixpath.basename(path) and out.get("md5")]
        if not outs or data.get("wdir", ".") != ".":
            return None
        check_md5(outs[0]["md5"])
    except (DvcException, Invalid, PipelineError) as error:
        raise PipelineError(f"{name} in {tree.name} is damaged. Restore it: git checkout -- {name}") from error
    if outs[0].get("hash") != "md5":
        raise PipelineError(f"{name} in {tree.name} was written by DVC 2. Convert it: dvc cache migrate --dvc-files")
    return Source(path, Digest(outs[0]["md5"], executable=bool(outs[0].get("isexec"))))
