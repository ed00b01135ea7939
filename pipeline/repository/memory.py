"""What retune notes in .retune for itself: it never stops a command, because it can be made again."""

import json
import logging
from collections.abc import Mapping
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
    """Make the folder for our notes; what is in the way, a file for a folder or the reverse, is moved aside."""
    for folder in FOLDERS:
        if (root / folder).is_symlink() or (root / folder).exists():
            _move_aside(root / folder, wrong=not (root / folder).is_dir())
    (root / FOLDER).mkdir(exist_ok=True)
    for name in FILES:
        _move_aside(root / FOLDER / name, wrong=(root / FOLDER / name).is_dir())


def _move_aside(path: Path, *, wrong: bool) -> None:
    if wrong:
        free = next(
            place for number in range(1, 1000) if not (place := path.with_name(f"{path.name}{MOVED}{number}")).exists()
        )
        path.rename(free)
        log.warning("%s was at a path that retune needs for its own notes. It was renamed to %s.", path, free.name)
