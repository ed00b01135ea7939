"""Files on disk, opened only if they are regular: a pipe, a device or a socket can be waited for without end."""

import os
import stat
from io import BufferedReader
from pathlib import Path

from stages.errors import DataError

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
KERNEL = ("/proc", "/sys")  # their files look regular, but reading one can wait, or never end


def open_file(path: Path, name: str) -> BufferedReader:
    """Open a regular file.

    Args:
        path: The file, or a link to it.
        name: What messages call it.

    Raises:
        DataError: It is missing, unreadable, or no regular file.
    """
    try:
        _require_regular(path.stat(), path.resolve(), name)  # opening a device can already act on it
        # without waiting: the path may have become a pipe since then, so what was opened is checked again
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise DataError(f"{name} is missing. Correct download.dataset.files, or put the file there.") from error
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        raise unreadable(name, error) from error
    file = open(descriptor, "rb")  # noqa: PTH123, SIM115 (a descriptor has no path, and the caller closes it)
    try:
        _require_regular(os.fstat(descriptor), path.resolve(), name)
    except DataError:
        file.close()
        raise
    return file


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
                _require_regular(status, path.resolve(), inside)
                files.append(path)
                continue
            identity = (status.st_dev, status.st_ino)
            if identity in above:
                raise DataError(f"{inside} is a link to a folder that it is in, so it has no end. Delete the link.")
            waiting += [(child, above | {identity}) for child in path.iterdir()]
        except FileNotFoundError as error:
            raise DataError(f"{inside} is a link to a file that is missing. Delete the link.") from error
        except (OSError, RuntimeError) as error:
            raise unreadable(inside, error) from error
    return sorted(files)


def unreadable(name: str, error: Exception) -> DataError:
    """Return the error for a file that the system does not let us read."""
    reason = error.strerror if isinstance(error, OSError) else "it is a link that leads to itself"
    return DataError(f"{name} can't be read: {reason}. Correct download.dataset.files, or the file's permissions.")


def _require_regular(status: os.stat_result, target: Path, name: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise DataError(f"{name} is {kind}, not a file with rows. Name the files in download.dataset.files.")
    if any(target.is_relative_to(folder) for folder in KERNEL):
        raise DataError(f"{name} is a file of the system ({target}), not a file with rows. Copy it, and name the copy.")
