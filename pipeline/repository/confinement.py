"""Where a path from outside may point: flow runs, run-cache entries and objects of a remote name paths to write."""

import re
from collections.abc import Iterable
from pathlib import Path

from stages.errors import PipelineError

MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")  # names of objects, which become paths in the cache


def confined(root: Path, path: str, folders: Iterable[str]) -> Path:
    """The place of `path` in the project. Nothing may be written to a path that did not pass this check.

    Args:
        root: The project's folder.
        path: A path relative to `root`, from outside.
        folders: Files and folders, relative to `root`, of which one must be `path` or contain it.

    Raises:
        PipelineError: The path is not plain, is in none of the folders, or a symbolic link leads it elsewhere.
    """
    if not is_plain(path) or not any(path == folder or path.startswith(f"{folder}/") for folder in folders):
        raise PipelineError(f"{path!r} is not inside an output of a stage, so nothing is written there.")
    place = root.resolve() / path
    if place.resolve() != place:
        raise PipelineError(f"{path!r} is a symbolic link or lies behind one, so nothing is written there. Remove it.")
    return place


def is_plain(path: str) -> bool:
    """Whether a path is relative, does not go up, and has no empty parts."""
    return not {"", ".", ".."} & set(path.split("/")) and "\0" not in path


def check_md5(md5: object) -> None:
    """Check the name of an object.

    Raises:
        PipelineError: It is not an MD5.
    """
    if not (isinstance(md5, str) and MD5.fullmatch(md5)):
        raise PipelineError(f"{md5!r} is not the MD5 of a file or folder.")
