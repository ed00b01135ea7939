"""`retune review`: a person decides about the labels that are probably wrong."""

import contextlib
import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.terminal import console, project_root
from stages.errors import PipelineError
from stages.messages import NAMES, counted, examples

if TYPE_CHECKING:
    from pipeline.review.decisions import Decisions
    from pipeline.review.rows import DataSet, ReviewRow


def review(
    export: Annotated[
        Path | None, typer.Option("--export", help="Write the suspect rows to this file instead of serving the page.")
    ] = None,
    import_file: Annotated[
        Path | None,
        typer.Option("--import", help="Read decisions from this file: CSV or JSON, as --export writes them, or xlsx."),
    ] = None,
    file_format: Annotated[
        str | None, typer.Option("--format", help="Format of --export: csv, argilla or label-studio; default: csv.")
    ] = None,
    spreadsheet_safe: Annotated[
        bool,
        typer.Option(
            "--spreadsheet-safe", help="CSV: write an apostrophe before cells that a spreadsheet would compute."
        ),
    ] = False,
    who: Annotated[str | None, typer.Option(help="Name of the person who decides; default: git's user.name.")] = None,
    port: Annotated[int, typer.Option(help="Port of the page; 0: any free port.", min=0, max=65535)] = 0,
) -> None:
    """Decide about the labels that are probably wrong, on a page that only this machine can open.

    Decisions go to the file that download.dataset.corrections names. Then `retune plan` shows which stages they affect.

    Example: `retune review`; or `retune review --export suspects.csv`, and `retune review --import suspects.csv`
    """
    from pipeline.review import exports
    from pipeline.review.answers import read_answers
    from pipeline.review.decisions import Decisions
    from pipeline.review.imports import check_answers
    from pipeline.review.rows import DataSet, read_suspects

    root = project_root()
    _check(export, import_file, file_format, spreadsheet_safe)
    data = DataSet(root)
    decisions = Decisions(root, data, who=who or _user(root))
    if import_file is not None:
        answers = read_answers(import_file, several=data.kind.choice == "several")
        if not answers:
            console.print(f"{import_file}: no row in it has a decision or an annotation, so nothing is imported.")
            return
        checked = check_answers(answers, data, decisions.read(), name=str(import_file))
        added = decisions.add(checked)
        shown = f"{counted(len(added.new), 'new decision')} of {len(checked)} in {import_file}"
        console.print(f"{data.corrections}: {shown}. Next: retune plan")
        if added.stayed:
            console.print(
                f"{len(added.stayed)} not imported, because somebody else has decided these rows differently, or with "
                f"another note, since the export: {examples(added.stayed, most=NAMES)}. To decide about them, open the "
                "page, or export again."
            )
        if added.unchanged:
            console.print(
                f"{len(added.unchanged)} not imported, because you have decided since, and the file has what was "
                f"exported: {examples(added.unchanged, most=NAMES)}. To go back to it, empty the cells of the column "
                "exported, or open the page."
            )
        if added.replaced:
            console.print(
                f"{len(added.replaced)} overwrite decisions of somebody else, because {import_file} has no "
                f"column exported: {examples(added.replaced, most=NAMES)}. Look at: git diff {data.corrections}"
            )
        return
    rows = read_suspects(data)
    if export is not None:
        count = exports.write(
            export, rows, decisions.of(rows), data, file_format or "csv", spreadsheet_safe=spreadsheet_safe
        )
        if not count:
            why = "each row with a suspect label is decided" if rows else "no row has a suspect label"
            console.print(f"{export} is not written, because {why}.")
        else:
            console.print(f"{export}: {counted(count, 'row')}. Decide, then: retune review --import {export}")
        return
    _serve(data, rows, decisions, port=port)


def _check(export: Path | None, import_file: Path | None, file_format: str | None, spreadsheet_safe: bool) -> None:
    """Check that the options go together."""
    from pipeline.review.exports import FORMATS

    if export is not None and import_file is not None:
        raise PipelineError("--export and --import can't be combined. Give one of them.")
    if export is None and (file_format is not None or spreadsheet_safe):
        raise PipelineError(
            "--format and --spreadsheet-safe are for --export only: the format of an import is detected. Leave them "
            "out."
        )
    if file_format is not None and file_format not in FORMATS:
        raise PipelineError(f"--format {file_format!r} is unknown. Give one of: {', '.join(FORMATS)}.")
    if export is not None and export.suffix.lower() != (suffix := FORMATS[file_format or "csv"]):
        raise PipelineError(
            f"--export {export}: {file_format or 'csv'} is written to a file in {suffix}. Give such a name, or another "
            f"format: {', '.join(f'{name} ({end})' for name, end in FORMATS.items())}."
        )
    if spreadsheet_safe and file_format not in (None, "csv"):
        raise PipelineError("--spreadsheet-safe is for --format csv. Leave it out.")


def _user(root: Path) -> str:
    from pipeline.repository import git

    return git.setting(root, "user.name") or getpass.getuser()


def _serve(data: "DataSet", rows: "Sequence[ReviewRow]", decisions: "Decisions", *, port: int) -> None:
    from pipeline.review.serve import serve

    left = len(rows) - len(decisions.of(rows))
    console.print(f"{counted(len(rows), 'suspect label')}, {left} of them without a decision.")

    def say(address: str) -> None:
        console.print(f"Open {address}", soft_wrap=True)
        console.print(f"Decisions are written to {data.corrections} at once. End with Ctrl-C.")

    with contextlib.suppress(KeyboardInterrupt):
        serve(data, rows, decisions, port=port, say=say)
