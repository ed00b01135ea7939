"""Opens regular files only, and tells links that leave a folder.

A pipe, a device or a socket can be waited for without end, and a read can act on it. A link in a folder from elsewhere
can lead to any file of the reader.
"""

import os
import re
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
STORED = re.compile(  # a file in the cache of the Hub's client, or of DVC, named by its hash: what they store are links
    r"/blobs/([0-9a-f]{40}|[0-9a-f]{64})$|/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$"
)
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


def leads_outside(path: Path, folder: Path) -> Path | None:
    """Return what a path leads to that is in `folder` by name, but leaves it by a link; None: it does not.

    Links to objects in the cache of DVC or of the Hub's client do not leave it: both can place files as links.
    """
    target = Path(os.path.realpath(path))  # Path.resolve raises where links form a loop
    inside = target.is_relative_to(os.path.realpath(folder)) or STORED.search(target.as_posix())
    return None if inside else target
