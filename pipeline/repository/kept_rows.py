"""Which rows of which model are kept on this machine: noted beside them after a run, read by a plan."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipeline.repository.memory import read_memory, write_memory
from pipeline.repository.snapshot import ModelRows
from stages.paths import Paths

NOTES = ".retune/rows/computed.json"  # model -> rows -> bytes of the store after them; goes with the folder of the rows
KEPT = 50  # models
NEARLY_FULL = 90  # percent of the limit from which on the oldest rows may have been removed
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
    noted = _read_notes(root)
    if rows.model is None or not noted:
        return None
    if rows.model not in noted:
        return None if rows.model in read else False
    then = noted[rows.model].get(rows.rows)
    if then is None or not isinstance(limit_mb, int):
        return None
    return True if then <= size and 100 * size < NEARLY_FULL * limit_mb * MB else None  # integers: no limit is too high


def note_kept(root: Path, rows: ModelRows) -> None:
    """Note that what a model gives for rows is kept."""
    if rows.model is None or rows.rows is None or not (size := _size(root)):
        return
    noted = _read_notes(root)
    noted[rows.model] = {**noted.pop(rows.model, {}), rows.rows: size}
    write_memory(root / NOTES, dict(list(noted.items())[-KEPT:]))


def _read_notes(root: Path) -> dict[str, dict[Any, int]]:
    """Model -> rows -> bytes; without what is damaged."""
    return {
        model: {rows: size for rows, size in of_model.items() if type(size) is int}
        for model, of_model in read_memory(root / NOTES).items()
        if isinstance(of_model, dict)
    }


def _size(root: Path) -> int:
    """The bytes of the file of kept rows; 0: there is none."""
    try:
        return Paths(root).kept_rows.stat().st_size
    except OSError:
        return 0
