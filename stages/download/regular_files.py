"""Local sources, opened only if they are regular files, and all files below a folder."""

import stat
from io import BufferedReader
from pathlib import Path

from stages.errors import DataError
from stages.special_files import SpecialFileError, open_regular, require_regular


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


def files_below(folder: Path, name: str) -> list[Path]:
    """Return all files in a folder and the folders in it, linked ones included, by name.

    Args:
        folder: The folder.
        name: What messages call it.

    Raises:
        DataError: It holds something that is no regular file, a folder that can't be listed, or a link to a folder
            that it is in itself.
    """
    files: list[Path] = []
    waiting = [(folder, frozenset[tuple[int, int]]())]
    while waiting:
        path, above = waiting.pop()
        inside = f"{name}/{path.relative_to(folder).as_posix()}" if path != folder else name
        try:
            status = path.stat()
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
    return sorted(files)


def unreadable(name: str, error: Exception) -> DataError:
    """Return the error for a file that the system does not let us read."""
    reason = error.strerror if isinstance(error, OSError) else "it is a link that leads to itself"
    return DataError(f"{name} can't be read: {reason}. Correct download.dataset.files, or the file's permissions.")


def _special(name: str, error: SpecialFileError) -> DataError:
    return DataError(
        f"{name} is {error.kind}, not a file with rows. Name a copy or another file in download.dataset.files."
    )
