"""What retune notes in .retune for itself: it never stops a command, because it can be made again."""

import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stages.files import write_json
from stages.special_files import SpecialFileError, open_regular

FOLDER = ".retune"
FOLDERS = (FOLDER, f"{FOLDER}/logs", f"{FOLDER}/listings", f"{FOLDER}/checkpoints", f"{FOLDER}/rows")
FILES = (
    "run.lock",
    "run.json",
    "seconds.json",
    "runs.json",
    "rates.json",
    "rows/computed.json",
    "params.yaml",
    "dvc.lock",
    "dvc.lock.damaged",
)
OF_STAGES = (f"{FOLDER}/logs/*.log", f"{FOLDER}/logs/*.read")
MOVED = ".moved"
log = logging.getLogger(__name__)


def read_memory(path: Path) -> dict[str, Any]:
    """The content of one of our notes; empty if it is missing or damaged."""
    try:
        with open_regular(path) as file:  # a pipe in its place would be waited for without end
            noted = json.load(file)
        json.dumps(noted, ensure_ascii=False).encode()  # half a character could not be written again
    except (OSError, ValueError, RecursionError, SpecialFileError):
        return {}
    return dict(noted) if isinstance(noted, Mapping) else {}


def write_memory(path: Path, noted: Mapping[str, Any]) -> None:
    """Write one of our notes; where the disk refuses it, a line says so, and the command goes on."""
    try:
        write_json(path, noted)
    except OSError as error:
        log.warning("%s can't be written (%s), so the next plan has less information.", path, error.strerror or error)


def make_memory(root: Path) -> None:
    """Make the folder for our notes; what is in the way, such as a file for a folder or a pipe, is moved aside."""
    for folder in FOLDERS:
        _move_aside(root / folder, unless=Path.is_dir)
    (root / FOLDER).mkdir(exist_ok=True)
    of_stages = (path for pattern in OF_STAGES for path in root.glob(pattern))
    for path in (*(root / FOLDER / name for name in FILES), *of_stages):
        _move_aside(path, unless=Path.is_file)


def _move_aside(path: Path, *, unless: Callable[[Path], bool]) -> None:
    if os.path.lexists(path) and not unless(path):
        free = next(
            place for number in range(1, 1000) if not (place := path.with_name(f"{path.name}{MOVED}{number}")).exists()
        )
        path.rename(free)
        log.warning("%s was at a path that retune needs for its own notes. It was renamed to %s.", path, free.name)
