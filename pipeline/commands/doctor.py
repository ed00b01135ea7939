"""`retune doctor`: what is wrong with this setup, and the command that fixes it."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from pipeline.commands.terminal import show_table
from stages.shown import visible

COLOURS = {"ok": "green", "note": "yellow", "fail": "red"}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Check Python, packages, GPU, git, DVC's cache and remote, Prefect, locks, leftovers and disk; change nothing.

    A note is not a failure, but worth knowing. Exit code 1 if a check fails.

    Example: `retune doctor`
    """
    from pipeline.diagnosis.diagnose import diagnose

    findings = list(diagnose(Path.cwd()))
    if as_json:
        typer.echo(json.dumps([finding.as_json() for finding in findings], indent=2, ensure_ascii=False))
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for finding in findings:
            table.add_row(Text(finding.state, COLOURS[finding.state]), finding.check, Text(visible(finding.detail)))
            if finding.fix:
                table.add_row("", "", Text(visible(finding.fix), "bold"))
        show_table(table)
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)
