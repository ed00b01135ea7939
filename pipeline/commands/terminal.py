"""What the commands share: the console, the project's folder, and how they leave."""

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
    """The project's folder, from the current one upwards."""
    from pipeline.repository.root import find_root

    return find_root(Path.cwd())


def show_table(table: Table) -> None:
    """Print a table: in a terminal it fits its width, elsewhere each row is one whole line."""
    if console.is_terminal:
        console.print(table)
        return
    wide = Console(file=io.StringIO(), width=10_000)
    with wide.capture() as text:
        wide.print(table)
    for line in text.get().splitlines():
        typer.echo(line.rstrip())


def leave_at_once() -> None:
    """Let the process end without waiting for its threads: Prefect's would go on calling a server that is gone."""
    _at_once.set()


def leave(code: int) -> NoReturn:
    """End the process."""
    if _at_once.is_set():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise SystemExit(code)
