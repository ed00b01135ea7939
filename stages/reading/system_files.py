"""Names of files that are nobody's data: of the system, of version control, of editors and of Office."""

import re

# Hidden files and folders, as `.DS_Store`, `._x`, `.git` and `.~lock.x#`; what Windows, zip programs, servers and
# Python leave; locks, backups and swap files of Office and of editors; downloads that are not complete.
SYSTEM = re.compile(
    r"\..*|thumbs\.db|ehthumbs(_vista)?\.db|desktop\.ini|icon\r|__MACOSX|\$RECYCLE\.BIN|System Volume Information"
    r"|lost\+found|@eaDir|#recycle|__pycache__|~\$.*|~.*\.tmp|.*~|#.*#|.*\.(bak|sw[a-p]|crdownload|part|partial)",
    re.IGNORECASE | re.DOTALL,
)


def is_system_file(name: str) -> bool:
    """Return whether a file or folder of this name is none of a data set."""
    return SYSTEM.fullmatch(name) is not None


def in_system_folder(path: str) -> bool:
    """Return whether a part of a relative path, with `/` between the parts, is of the system; `.` and `..` are not."""
    return any(is_system_file(part) for part in path.split("/") if part not in ("", ".", ".."))
