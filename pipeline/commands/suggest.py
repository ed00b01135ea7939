"""`retune suggest`: which rows to label next."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.model import last_model, load
from pipeline.commands.options import (
    Delimiter,
    Encoding,
    Format,
    Header,
    ModelFolder,
    OutputFile,
    PairColumn,
    Prefix,
    Quoting,
    Sheet,
    SpreadsheetSafe,
    TextColumn,
)
from pipeline.commands.terminal import project_root, require_output
from stages.errors import PipelineError

log = logging.getLogger(__name__)
MOST = 5_000  # rows at a time: the choice takes a minute, and a model that has learned from some would choose better


def suggest(
    file: Annotated[
        str, typer.Argument(help="Rows without labels, in any format that `retune predict` reads; - is standard input.")
    ],
    rows: Annotated[int, typer.Option("--n", min=1, max=MOST, help="Number of rows to suggest.")] = 200,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Seed of the choice: another seed suggests other rows.")
    ] = 42,
    column: TextColumn = None,
    pair_column: PairColumn = None,
    out: OutputFile = None,
    model: ModelFolder = None,
    file_format: Format = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    header: Header = None,
    quoting: Quoting = None,
    sheet: Sheet = None,
    prefix: Prefix = "",
    spreadsheet_safe: SpreadsheetSafe = False,
) -> None:
    """Suggest which rows of a file to label next: those that the model is unsure of and that differ from each other.

    Texts that are already in the project's data set are left out. Label in the order of the ranks, and stop when you
    like.

    Example: `retune suggest unlabelled.csv --n 200 --out next.csv`
    """
    from pipeline.prediction.input_format import InputOptions
    from pipeline.prediction.request import PredictionRequest
    from pipeline.suggestion.suggest import Wanted, suggest_rows

    if out is None:
        require_output()
    request = PredictionRequest(
        file=file,
        out=out,
        model=model or last_model(),
        options=InputOptions(file_format, encoding, delimiter, header, quoting, sheet, column, pair_column),
        prefix=prefix,
        spreadsheet_safe=spreadsheet_safe,
    )
    suggest_rows(request, load, Wanted(rows, seed, _labelled()))


def _labelled() -> Path | None:
    """Return the rows of the project's data set; None, and a line that says so, where they are not here."""
    from stages.paths import Paths

    try:
        rows = Paths(project_root()).rows
    except PipelineError:
        log.warning("There is no project here, so rows that are already labelled are not left out.")
        return None
    if not rows.is_file():
        log.warning("%s is missing, so rows that are already labelled are not left out. Fetch it: dvc pull", rows)
        return None
    return rows
