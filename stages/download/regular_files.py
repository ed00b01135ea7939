"""Local sources, opened only if they are regular files, and all files below a folder."""

import stat
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from stages.errors import DataError
from stages.messages import plain
from stages.reading.system_files import is_system_file
from stages.special_files import SpecialFileError, leads_outside, open_regular, require_regular


def open_file(path: Path, name: str) -> BufferedReader:
    """Open a regular file.

    Args:
        path: The file, or a link to it.
        name: What messages call it.

    Raises:
        DataError: It is missing, unreadable, or no regular file.
    """
    try:
        return open_regular(path)
    except SpecialFileError as error:
        raise _special(name, error) from error
    except FileNotFoundError as error:
        raise DataError(f"{name} is missing. Correct download.dataset.files, or put the file there.") from error
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        raise unreadable(name, error) from error


class FolderFiles(NamedTuple):
    """The files of a folder, by name, and what was left out: hidden files and folders, and those of the system."""

    files: list[Path]
    skipped: list[Path]


def files_below(folder: Path, name: str, *, watched: Path | None = None) -> FolderFiles:
    """Return the files in a folder and the folders in it, linked ones included.

    Args:
        folder: The folder.
        name: What messages call it.
        watched: Folder that links must stay in; None: they were checked before.

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
                refuse_link_outside(path, inside, watched)
            if not stat.S_ISDIR(status.st_mode):
                require_regular(status, path)
                files.append(path)
                continue
            identity = (status.st_dev, status.st_ino)
            if identity in above:
                raise DataError(f"{inside} is a link to a folder that it is in, so it has no end. Delete the link.")
            waiting += [(child, above | {identity}) for child in path.iterdir()]
        except SpecialFileError as error:
            raise _special(inside, error) from error
        except FileNotFoundError as error:
            raise DataError(f"{inside} is a link to a file that is missing. Delete the link.") from error
        except (OSError, RuntimeError) as error:
            raise unreadable(inside, error) from error
    return FolderFiles(sorted(files), sorted(skipped))


def refuse_link_outside(path: Path, name: str, watched: Path) -> None:
    """Check that no link on the way to a file leaves the folder that DVC watches.

    A data set from elsewhere could have links to private files, whose content would become rows.

    Raises:
        DataError: One does.
    """
    if target := leads_outside(path, watched):
        raise DataError(
            f"{plain(name)} leads by a link to {plain(str(target))}, outside download.dataset.folder. "
            "In a data set from elsewhere that can be a private file of yours. Copy the file there, delete the link, "
            "or set download.dataset.folder to the link itself if you made it."
        )


def unreadable(name: str, error: Exception) -> DataError:
    """Return the error for a file that the system does not let us read."""
    reason = error.strerror if isinstance(error, OSError) else "it is a link that leads to itself"
    return DataError(f"{name} can't be read: {reason}. Correct download.dataset.files, or the file's permissions.")


def _special(name: str, error: SpecialFileError) -> DataError:
    return DataError(
        f"{name} is {error.kind}, not a file with rows. Name a copy or another file in download.dataset.files."
    )
