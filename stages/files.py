"""Write whole files or none: each is written under a temporary name and renamed when it is complete."""

import contextlib
import csv
import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from stages.errors import DataError

TEMPORARY = ".partial"
UNNAMED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # met by writing into an open file, whose name is lost
_checks: list[Callable[[], None]] = []


def check_before_replacing(check: Callable[[], None]) -> None:
    """From now on call `check` before any file or folder is replaced; it raises where this process must not."""
    _checks.append(check)


def may_replace() -> None:
    """Make the checks that `check_before_replacing` asked for."""
    for check in _checks:
        check()


@contextlib.contextmanager
def replace_file(path: Path, *, of_person: bool = False) -> Iterator[Path]:
    """Yield a temporary path; renamed to `path` when the block ends, removed when it raises.

    Args:
        path: The file.
        of_person: A person keeps this file: a link stays one, and the file that it leads to is replaced, with the
            same permissions. Not for what stages write: there, DVC may have put a link into its cache.

    Raises:
        DataError: A person's file is a link into a folder that is missing.
        OSError: It is a link that leads to itself, or can't be written.
    """
    if of_person:
        path = follow_link(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        yield temporary
        may_replace()
        if of_person:
            take_permissions(temporary, path)
        temporary.replace(path)
    except OSError as error:
        if error.filename is None and error.errno in UNNAMED:
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def discard_half_file(path: Path) -> None:
    """Remove what a killed process left of its replacement of a file; nobody else may be replacing it."""
    path.with_name(path.name + TEMPORARY).unlink(missing_ok=True)


def take_permissions(new: Path, path: Path) -> None:
    """Give the file `new` the permissions of the file that it will replace, if there is one."""
    with contextlib.suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if mode != new.stat().st_mode:  # some disks have the same for all files, and refuse to set any
            new.chmod(stat.S_IMODE(mode))


def follow_link(path: Path) -> Path:
    """Return the file that a link leads to, whether or not there is one; what is no link as it is.

    Raises:
        DataError: Its folder is missing, as that of a disk that is not mounted.
        OSError: The link leads to itself.
    """
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    if not target.parent.is_dir():
        raise DataError(
            f"{path} is a link to {target}, whose folder is missing. Mount or make the folder, or delete the link."
        )
    return target


@contextlib.contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder; renamed to `path` when the block ends, removed when it raises."""
    temporary = path.with_name(path.name + TEMPORARY)
    remove_path(temporary)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        may_replace()
        remove_path(path)
        temporary.rename(path)
    finally:
        remove_path(temporary)


def remove_folder(path: Path) -> None:
    """Remove a folder with its content, if it exists."""
    if path.exists():
        shutil.rmtree(path)


def remove_path(path: Path) -> None:
    """Remove what is at `path`, if anything is: a file, a link, or a folder with its content."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str, *, of_person: bool = False) -> None:
    """Write `text` as UTF-8; its line ends are kept. The rest is as in `replace_file`."""
    with replace_file(path, of_person=of_person) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON for people and diffs: indented, keys in their own order, no NaN."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def csv_writer(file: IO[str], delimiter: str = ",") -> Any:
    """Return a writer of CSV whose lines end in \\n, and which quotes a cell with any line break.

    Python's own leaves a lone \\r bare unless lines end in it, so that a reader sees two rows.
    """
    return csv.writer(_LineEnds(file), delimiter=delimiter, lineterminator="\r\n")


class _LineEnds:
    """Passes lines on that end in \\n instead of \\r\\n."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, line: str) -> int:
        return self._file.write(line.removesuffix("\r\n") + "\n")


def read_json(path: Path) -> Any:
    """Return the value in a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
