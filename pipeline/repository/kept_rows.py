"""Which rows of which model are kept on this machine: noted beside them after a run, read by a plan."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipeline.repository.memory import read_memory
from pipeline.repository.snapshot import ModelRows
from stages.files import write_json
from stages.paths import Paths

NOTES = ".retune/rows/computed.json"  # model -> rows -> bytes of the store after them; goes with the folder of the rows
KEPT = 50  # models
NEARLY_FULL = 0.9  # share of the limit from which on the oldest rows may have been removed
MB = 1_000_000


def is_kept(root: Path, rows: ModelRows, *, limit_mb: Any, read: Collection[str]) -> bool | None:
    """Whether what a model gives for rows is kept; None: nobody knows.

    Args:
        root: The project's folder.
        rows: The model and the rows.
        limit_mb: `machine.kept_rows_mb`.
        read: The digests of what stages have read: plain `dvc repro` computes with a model, and notes nothing.
    """
    size = _size(root)
    if not size or limit_mb == 0:
        return False
    noted = read_memory(root / NOTES)
    if rows.model is None or not noted:
        return None
    of_model = noted.get(rows.model)
    if not isinstance(of_model, dict):
        return None if rows.model in read else False
    then = of_model.get(rows.rows)
    sound = isinstance(then, int) and isinstance(limit_mb, int) and then <= size < NEARLY_FULL * limit_mb * MB
    return True if sound else None


def note_kept(root: Path, rows: ModelRows) -> None:
    """Note that what a model gives for rows is kept."""
    if rows.model is None or rows.rows is None or not (size := _size(root)):
        return
    noted = read_memory(root / NOTES)
    of_model = noted.pop(rows.model, None)
    noted[rows.model] = {**(of_model if isinstance(of_model, dict) else {}), rows.rows: size}
    write_json(root / NOTES, dict(list(noted.items())[-KEPT:]))


def _size(root: Path) -> int:
    """The bytes of the file of kept rows; 0: there is none."""
    try:
        return Paths(root).kept_rows.stat().st_size
    except OSError:
        return 0
