"""The console, the project's folder, and the end of the process, for all commands."""

import io
import os
import sys
import threading
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.table import Table

from stages.errors import PipelineError, refusal


def _open_standard_streams() -> bool:
    """Open what a service or a shell closed (`>&-`): else the next file that is opened gets its number and its text.

    Returns:
        Whether standard output was closed.
    """
    was_closed = sys.stdout is None
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for number, name in enumerate(("stdout", "stderr"), start=1):  # standard input stays None: who reads it says so
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))
    return was_closed


def _escape_what_can_not_be_written() -> None:
    """Write characters that the terminal's encoding lacks as \\u201c: a text of the data must not end a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


_output_was_closed = _open_standard_streams()
_escape_what_can_not_be_written()
# Paths and texts of the data are printed as they are: `a[/b].csv` is no markup, `:x:` no emoji.
console = Console(soft_wrap=not sys.stdout.isatty(), highlight=False, markup=False, emoji=False)


_at_once = threading.Event()


def project_root() -> Path:
    """Return the project's folder: the current one, or the nearest above it."""
    from pipeline.repository.root import find_root

    try:
        here = Path.cwd()
    except FileNotFoundError as error:
        raise PipelineError("The current folder has been removed. Change to the project's folder.") from error
    return find_root(here)


def can_ask() -> bool:
    """Whether a person can answer a question: the command runs in a terminal."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def require_output() -> None:
    """Check that standard output leads somewhere, for a command whose results go nowhere else.

    Raises:
        PipelineError: It was closed.
    """
    if _output_was_closed:
        raise PipelineError("Standard output is closed, so the results would be lost. Redirect it to a file.")


def show_table(table: Table) -> None:
    """Print a table: in a terminal it fits the width, elsewhere each row is one line."""
    if console.is_terminal:
        console.print(table)
        return
    wide = Console(file=io.StringIO(), width=10_000, markup=False, emoji=False)
    with wide.capture() as text:
        wide.print(table)
    for line in text.get().splitlines():
        typer.echo(line.rstrip())


def leave_at_once() -> None:
    """Make `leave` end the process without waiting for threads: Prefect's would keep calling a stopped server."""
    _at_once.set()


def leave(code: int) -> NoReturn:
    """End the process with the exit code; with 1 where what it printed can't be written, which a line says."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python flushes once more, and would say so in words of its own
        if code == 0 and not isinstance(error, BrokenPipeError):  # a pipe that nobody reads any more is no fault
            problem = refusal(error, "send it elsewhere")
            typer.echo(f"error: Standard output can't be written: {problem}", err=True)
        code = code or 1
    if _at_once.is_set():
        sys.stderr.flush()
        os._exit(code)
    raise SystemExit(code)
