"""What the commands share: the console, and the project's folder."""

import io
import sys
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

console = Console(soft_wrap=not sys.stdout.isatty(), highlight=False)


def project_root() -> Path:
    """The project's folder, from the current one upwards."""
    from pipeline.project import find_root

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
