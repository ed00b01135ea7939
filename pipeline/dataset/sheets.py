"""The sheets of a workbook, for a person whose data is on another one than the first."""

import re
from collections.abc import Sequence

from stages.messages import NAMES, examples

PLAIN = re.compile(r"[^\W\d_][\w ]*")  # a name that YAML and a shell's quotes take as it is


def other_sheet(sheets: Sequence[str], read: str | int | None) -> str:
    """What to add for another sheet of a workbook, for a message; nothing where it has no other.

    Args:
        sheets: Their names.
        read: The sheet that was read, by name or number; None: the first.
    """
    if len(sheets) < 2:
        return ""
    number, name = next((number, name) for number, name in enumerate(sheets) if (read or 0) not in (number, name))
    value = name if PLAIN.fullmatch(name) else number
    return f", or another of its sheets ({examples(sheets, most=NAMES)}): -S 'download.dataset.sheet={value}'"
