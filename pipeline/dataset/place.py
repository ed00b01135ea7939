"""Where a data set goes: into data/mine/ if it is outside the project, and then to DVC, never to git."""

import filecmp
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.repository import dvc_command, git
from pipeline.repository.project import Project
from stages.errors import DataError
from stages.files import replace_file, replace_folder
from stages.reading.dialect import PARAMS
from stages.reading.regular_files import files_below, refuse_link_outside
from stages.reading.system_files import is_system_file
from stages.special_files import SpecialFileError, open_regular

MINE = "data/mine"  # git ignores all in it but the `.dvc` files
FOLDER = replace(PARAMS, source="the folder", folder=None)  # what the messages on a file in a folder advise to correct


@dataclass(frozen=True)
class Placed:
    """A data set in the project.

    Attributes:
        path: Where it is, relative to the project's folder.
        copied: It was copied there.
        tracked: `dvc add` tracks it; else git does.
    """

    path: str
    copied: bool
    tracked: bool


def place(root: Path, file: Path, *, force: bool = False) -> Placed:
    """Bring a file, or a folder, into the project, and track it: with DVC, or with git where git has it already.

    Args:
        root: The project's folder.
        file: The file or folder, anywhere.
        force: Replace another one of the same name, of which DVC has no copy.

    Raises:
        DataError: It is missing or no regular file, its name can't be used, or another one has its name; or a folder
            holds something that is no regular file, or a link that leaves it.
        PipelineError: DVC can't track it.
    """
    absolute, path = _absolute(file), path_of(root, file)
    inside = absolute.is_relative_to(root)
    if not path.isprintable() or "${" in path:
        raise DataError(f"{path!r} has characters that DVC and params.yaml can't hold. Rename the file.")
    if absolute.is_dir():
        _check_links(absolute, with_skipped=inside)
    if not inside:
        _copy(absolute, root, path, force=force)
    if git.run(root, "ls-files", "--", path):
        return Placed(path, copied=not inside, tracked=False)
    dvc_command.run(root, "add", path)
    return Placed(path, copied=not inside, tracked=True)


def path_of(root: Path, file: Path) -> str:
    """Where a file or folder will be in the project, relative to its folder."""
    absolute = _absolute(file)
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else f"{MINE}/{absolute.name}"


def _absolute(file: Path) -> Path:
    return Path(os.path.abspath(file))  # noqa: PTH100  (a link stays a link)


def _check_links(folder: Path, *, with_skipped: bool) -> None:
    """Check that no link in a folder leaves it: copies and DVC's cache would hold what it leads to.

    Args:
        folder: The folder.
        with_skipped: Check hidden files and those of the system too: `dvc add` takes them, a copy leaves them out.

    Raises:
        DataError: A link leaves it, or it holds something that is no regular file.
    """
    below = files_below(folder, str(folder), watched=folder, settings=FOLDER)
    for path in below.skipped if with_skipped else ():
        for inner in (path, *path.rglob("*")) if path.is_dir() else (path,):
            refuse_link_outside(inner, str(inner), folder, FOLDER)


def _copy(file: Path, root: Path, path: str, *, force: bool) -> None:
    target = root / path
    if target.is_file() and file.is_file() and filecmp.cmp(file, target, shallow=False):
        return
    if target.exists() and not force and not _is_kept(root, path):
        raise DataError(
            f"{path} exists with other content, and DVC has no copy of it. Rename your file, or overwrite the "
            "existing one: --force"
        )
    if file.is_dir():
        with replace_folder(target) as folder:
            shutil.copytree(file, folder, dirs_exist_ok=True, ignore=_system_files)
        return
    try:
        with open_regular(file) as source, replace_file(target) as temporary, temporary.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    except SpecialFileError as error:
        raise DataError(f"{file} is {error.kind}, not a file with rows. Name a file.") from error


def _system_files(_: str, names: list[str]) -> set[str]:
    """Those of a folder's names that are not copied; a set, because copytree looks at them once for each name."""
    return {name for name in names if is_system_file(name)}


def _is_kept(root: Path, path: str) -> bool:
    """Whether DVC's cache has what is at the path."""
    with Project(root) as project:
        return project.is_kept(path)
