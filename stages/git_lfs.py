"""Pointers of git-lfs: small texts that stand for a file in a clone whose large files were not fetched."""

from pathlib import Path

START = b"version https://git-lfs."
WHAT = "a pointer of git-lfs, not the file itself. Fetch it: git lfs pull"


def is_pointer(head: bytes) -> bool:
    """Tell whether a file that starts with these bytes is a pointer."""
    return head.startswith(START)


def is_pointer_file(path: Path) -> bool:
    """Tell whether a regular file is a pointer; one that can't be read is for others to name."""
    try:
        with path.open("rb") as file:
            return is_pointer(file.read(len(START)))
    except OSError:
        return False
