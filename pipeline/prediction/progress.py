"""Progress over the rows: a bar in a terminal, plain lines with numbers elsewhere."""

import logging
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

log = logging.getLogger(__name__)

INTERVAL = 10.0  # seconds between two plain lines


class RowProgress:
    """Shows rows done, the share of the input that is read, and rows per second; a context manager.

    Args:
        console: On standard error, because the rows may go to standard output.
        total: Size of the input (bytes, or rows of Parquet); None: not known.
        rows: Rows that an interrupted run has done.
    """

    def __init__(self, console: Console, *, total: int | None, rows: int = 0) -> None:
        self._total = total
        self._first = self._rows = rows
        self._start = self._last_line = time.monotonic()
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
        return (self._rows - self._first) / max(1e-9, time.monotonic() - self._start)

    def advance(self, rows: int, position: int) -> None:
        """Show that `rows` are done in all, and that the input is read up to `position`, in the unit of `total`."""
        self._rows = rows
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=position, description=f"{rows:,} rows, {self.rate:,.0f} rows/s")
        elif time.monotonic() - self._last_line >= INTERVAL:
            self._last_line = time.monotonic()
            share = f" ({position / self._total:.0%})" if self._total else ""
            log.info("%s rows%s, %s rows/s", f"{rows:,}", share, f"{self.rate:,.0f}")
