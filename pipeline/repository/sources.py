"""Sources: data that `dvc add` or `dvc import` tracks. A `.dvc` file, which is in git, names its MD5 and its place.

It is `PATH.dvc` for PATH, unless a person has moved it: `path` and `wdir` in it then say what it is for.
"""

import functools
import posixpath
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from dvc.exceptions import DvcException
from dvc.schema import COMPILED_SINGLE_STAGE_SCHEMA
from dvc.utils.serialize import parse_yaml
from voluptuous import Invalid

from pipeline.repository.confinement import check_md5, is_plain
from pipeline.repository.digests import Digest, Digests, files_under, folder_digest, paths_overlap, with_parents
from pipeline.repository.file_tree import FileTree
from stages.errors import PipelineError
from stages.yaml_file import conflict_line

SUFFIX = ".dvc"
State = Literal["absent", "tracked", "changed"]


@dataclass(frozen=True)
class Source:
    """A file or folder that `dvc add` or `dvc import` tracks.

    Attributes:
        path: Where it belongs.
        digest: What belongs there.
        file: The file in git that tracks it.
        elsewhere: Whether it may be in another place than the project's remote: an import, or data with its own remote.
    """

    path: str
    digest: Digest
    file: str
    elsewhere: bool = False

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
    usual = [*(f"{above}{SUFFIX}" for above in with_parents(place)), *inside]
    candidates = dict.fromkeys([*usual, *tree.names(f"*{SUFFIX}")])
    return tuple(source for name in candidates if (source := _read(tree, name, place)))


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


def _read(tree: FileTree, name: str, place: str) -> Source | None:
    """What a `.dvc` file tracks at, around or in a place; None if there is no such file, or it has no MD5 of that.

    Raises:
        PipelineError: It is damaged, or of DVC 2.
    """
    text = tree.read(name) if tree.is_file(name) else None
    if text is None:
        return None
    if line := conflict_line(text):
        raise PipelineError(
            f"{name} in {tree.name} line {line} is a conflict marker of a git merge. Take a side "
            f"(git checkout --ours -- {name}, or --theirs), then its data: dvc checkout {name}"
        )
    try:
        data = _parse(text, name)
        outs = [out for out in data.get("outs", ()) if out.get("md5")]
        if not outs:
            return None
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), data.get("wdir", "."), outs[0]["path"]))
        if not is_plain(path) or not paths_overlap(path, place):
            return None
        check_md5(outs[0]["md5"])
    except (DvcException, Invalid, PipelineError) as error:
        repair = tree.advice(f"Restore it: git checkout -- {name}")
        raise PipelineError(f"{name} in {tree.name} is damaged. {repair}") from error
    if outs[0].get("hash") != "md5":
        raise PipelineError(f"{name} in {tree.name} was written by DVC 2. Convert it: dvc cache migrate --dvc-files")
    elsewhere = bool(data.get("deps") or outs[0].get("remote") or outs[0].get("push") is False)
    return Source(path, Digest(outs[0]["md5"], executable=bool(outs[0].get("isexec"))), name, elsewhere)


@functools.lru_cache(maxsize=4096)  # each dependency of a stage asks for all of them
def _parse(text: str, name: str) -> Any:
    return COMPILED_SINGLE_STAGE_SCHEMA(parse_yaml(text, name))
