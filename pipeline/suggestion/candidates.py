"""The most uncertain rows of a stream, each text once, in bounded memory."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.prediction.window import Window, choose_rows, join_windows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Candidates:
    """Keeps the most uncertain of the rows that are added; of equally uncertain rows the earlier ones.

    Args:
        most: Rows to keep (>= 1); twice as many are held in memory.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._floor = -np.inf  # a row must be more uncertain than this
        self._windows: list[Window] = []
        self._uncertainty: list[Floats] = []
        self._keys: list[Ints] = []

    def __len__(self) -> int:
        return sum(map(len, self._windows))

    def add(self, window: Window, uncertainty: Floats, keys: Ints) -> None:
        """Add rows.

        Args:
            window: The rows.
            uncertainty: Of each row; shape (rows,).
            keys: Equal for rows with the same text; shape (rows,).
        """
        first = np.zeros(len(keys), dtype=np.bool_)
        first[np.unique(keys, return_index=True)[1]] = True
        known = np.concatenate([np.zeros(0, np.int64), *self._keys])
        rows = np.flatnonzero(first & (uncertainty > self._floor) & ~np.isin(keys, known))
        self._append(choose_rows(window, rows.tolist()), uncertainty[rows], keys[rows])
        if len(self) >= 2 * self._most:
            self._prune()

    def best(self) -> tuple[Window, Floats]:
        """Return the rows that are kept, in the order in which they were added, and their uncertainty; at least one."""
        self._prune()
        return join_windows(self._windows), np.concatenate(self._uncertainty)

    def _append(self, window: Window, uncertainty: Floats, keys: Ints) -> None:
        if len(window):
            self._windows.append(window)
            self._uncertainty.append(uncertainty)
            self._keys.append(keys)

    def _prune(self) -> None:
        if len(self) <= self._most:
            return
        every: Any = np.concatenate(self._uncertainty)
        kept = np.zeros(len(every), dtype=np.bool_)
        kept[np.argsort(-every, kind="stable")[: self._most]] = True
        self._floor = float(every[kept].min())
        parts = list(zip(self._windows, self._uncertainty, self._keys, strict=True))
        self._windows, self._uncertainty, self._keys = [], [], []
        start = 0
        for window, uncertainty, keys in parts:
            rows = np.flatnonzero(kept[start : start + len(keys)])
            start += len(keys)
            self._append(choose_rows(window, rows.tolist()), uncertainty[rows], keys[rows])
