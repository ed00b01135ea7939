"""Opens regular files only: a pipe, a device or a socket can be waited for without end, and a read can act on it."""

import os
import stat
from io import BufferedReader
from pathlib import Path

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
KERNEL = ("/proc", "/sys")  # their files look regular, but reading one can wait, or never end


class SpecialFileError(Exception):
    """The path is no regular file.

    Args:
        kind: What it is: `a folder`, `a named pipe`.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading, without waiting for anything.

    Raises:
        SpecialFileError: It is no regular file.
        OSError: It is missing, or can't be read.
        RuntimeError: It is a link that leads to itself.
    """
    require_regular(path.stat(), path)  # opening a device can already act on it
    # without waiting: the path may have become a pipe since then, so what was opened is checked again
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    file = open(descriptor, "rb")  # noqa: PTH123, SIM115 (a descriptor has no path, and the caller closes it)
    try:
        require_regular(os.fstat(descriptor), path)
    except SpecialFileError:
        file.close()
        raise
    return file


def require_regular(status: os.stat_result, path: Path) -> None:
    """Check a file by its status.

    Raises:
        SpecialFileError: It is no regular file.
    """
    if kind := kind_of(status):
        raise SpecialFileError(kind)
    target = path.resolve()
    if any(target.is_relative_to(folder) for folder in KERNEL):
        raise SpecialFileError(f"a file of the system ({target})")


def kind_of(status: os.stat_result) -> str | None:
    """Return what a file is that is not regular; None: it is regular."""
    return None if stat.S_ISREG(status.st_mode) else KINDS.get(stat.S_IFMT(status.st_mode), "something else")
