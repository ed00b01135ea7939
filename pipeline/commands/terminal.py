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

console = Console(soft_wrap=not sys.stdout.isatty(), highlight=False)


_at_once = threading.Event()


def project_root() -> Path:
    """Return the project's folder: the current one, or the nearest above it."""
    from pipeline.repository.root import find_root

    return find_root(Path.cwd())


def can_ask() -> bool:
    """Whether a person can answer a question: the command runs in a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def show_table(table: Table) -> None:
    """Print a table: in a terminal it fits the width, elsewhere each row is one line."""
    if console.is_terminal:
        console.print(table)
        return
    wide = Console(file=io.StringIO(), width=10_000)
    with wide.capture() as text:
        wide.print(table)
    for line in text.get().splitlines():
        typer.echo(line.rstrip())


def leave_at_once() -> None:
    """Make `leave` end the process without waiting for threads: Prefect's would keep calling a stopped server."""
    _at_once.set()


def leave(code: int) -> NoReturn:
    """End the process with the exit code."""
    if _at_once.is_set():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise SystemExit(code)
