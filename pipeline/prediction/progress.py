"""How far a long run is: a bar in a terminal, plain lines with numbers elsewhere."""

import logging
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

log = logging.getLogger(__name__)

EVERY = 10.0  # seconds between two plain lines


class RowProgress:
    """Shows rows done, the share of the source that is read, and rows per second; use it as a context manager.

    Args:
        console: Of standard error: standard output may carry the rows.
        total: Size of the source in its own unit (bytes or rows); None: not known.
        rows: Rows that an earlier run has done.
    """

    def __init__(self, console: Console, *, total: int | None, rows: int = 0) -> None:
        self._total = total
        self._first = self._rows = rows
        self._began = self._said = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
        self._bar = Progress(*columns, TimeRemainingColumn(), console=console) if console.is_terminal else None
        self._task = self._bar.add_task("0 rows", total=total) if self._bar else None

    def __enter__(self) -> "RowProgress":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    @property
    def rate(self) -> float:
        """Rows per second of this run."""
        return (self._rows - self._first) / max(1e-9, time.monotonic() - self._began)

    def advance(self, rows: int, position: int) -> None:
        """Say that `rows` are done in all, and how much of the source is read."""
        self._rows = rows
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=position, description=f"{rows:,} rows, {self.rate:,.0f} rows/s")
        elif time.monotonic() - self._said >= EVERY:
            self._said = time.monotonic()
            share = f" ({position / self._total:.0%})" if self._total else ""
            log.info("%s rows%s, %s rows/s", f"{rows:,}", share, f"{self.rate:,.0f}")
