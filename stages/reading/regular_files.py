"""Local sources, opened only if they are regular files, and all files below a folder."""

import errno
import stat
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from stages.errors import DataError, refusal
from stages.messages import place
from stages.reading.dialect import PARAMS, Settings
from stages.reading.system_files import is_system_file
from stages.special_files import SpecialFileError, leads_outside, open_regular, require_regular


def open_file(path: Path, name: str, settings: Settings = PARAMS) -> BufferedReader:
    """Open a regular file.

    Args:
        path: The file, or a link to it.
        name: What messages call it.
        settings: How they name what a user can set.

    Raises:
        DataError: It is missing, unreadable, or no regular file.
    """
    try:
        return open_regular(path)
    except SpecialFileError as error:
        raise _special(name, error, settings) from error
    except FileNotFoundError as error:
        raise DataError(f"{name} is missing. Correct {settings.source}, or put the file there.") from error
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        raise unreadable(name, error, settings) from error


class FolderFiles(NamedTuple):
    """The files of a folder, by name, and what was left out: hidden files and folders, and those of the system."""

    files: list[Path]
    skipped: list[Path]


def files_below(folder: Path, name: str, *, watched: Path | None = None, settings: Settings = PARAMS) -> FolderFiles:
    """Return the files in a folder and the folders in it, linked ones included.

    Args:
        folder: The folder.
        name: What messages call it.
        watched: Folder that links must stay in; None: they were checked before.
        settings: How messages name what a user can set.

    Raises:
        DataError: It holds something that is no regular file, a folder that can't be listed, a link to a folder
            that it is in itself, or one that leaves `watched`.
    """
    files: list[Path] = []
    skipped: list[Path] = []
    waiting = [(folder, frozenset[tuple[int, int]]())]
    while waiting:
        path, above = waiting.pop()
        if path != folder and is_system_file(path.name):
            skipped.append(path)
            continue
        inside = f"{name}/{path.relative_to(folder).as_posix()}" if path != folder else name
        try:
            status = path.stat()
            if watched is not None:
                refuse_link_outside(path, inside, watched, settings)
            if not stat.S_ISDIR(status.st_mode):
                require_regular(status, path)
                files.append(path)
                continue
            identity = (status.st_dev, status.st_ino)
            if identity in above:
                raise DataError(
                    f"{inside} is a link to a folder that contains the link, which is an endless loop. Delete the link."
                )
            waiting += [(child, above | {identity}) for child in path.iterdir()]
        except SpecialFileError as error:
            raise _special(inside, error, settings) from error
        except FileNotFoundError as error:
            raise DataError(f"{inside} is a link to a file that is missing. Delete the link.") from error
        except (OSError, RuntimeError) as error:
            raise unreadable(inside, error, settings) from error
    return FolderFiles(sorted(files), sorted(skipped))


def refuse_link_outside(path: Path, name: str, watched: Path, settings: Settings = PARAMS) -> None:
    """Check that no link on the way to a file leaves a folder, the one that DVC watches or the input of predictions.

    A data set from elsewhere could have links to private files, whose content would become rows.

    Raises:
        DataError: One does.
    """
    if target := leads_outside(path, watched):
        advice = f", or set {settings.folder} to the link itself if you made it" if settings.folder else ""
        raise DataError(
            f"{place(name)} leads through a link to {place(str(target))}, outside {settings.folder or 'the folder'}. "
            "In a data set from elsewhere, such a link can point to a private file of yours. Copy the file there, "
            "delete the link"
            f"{advice}."
        )


def unreadable(name: str, error: Exception, settings: Settings = PARAMS) -> DataError:
    """Return the error for a file that the system does not let us read."""
    error = error if isinstance(error, OSError) else OSError(errno.ELOOP, "")  # a RuntimeError: of such a link
    return DataError(f"{name} can't be read: {refusal(error, f'correct {settings.source}')}")


def _special(name: str, error: SpecialFileError, settings: Settings) -> DataError:
    return DataError(f"{name} is {error.kind}, not a file with rows. Name a copy or another file in {settings.source}.")
