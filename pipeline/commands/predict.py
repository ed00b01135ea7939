"""`retune predict` and `retune embed`: use the model of the last run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import (
    Delimiter,
    EmbeddingsFile,
    Encoding,
    Format,
    Header,
    InputFile,
    ModelFolder,
    OutputFile,
    PairColumn,
    Prefix,
    Quoting,
    Resume,
    Sheet,
    SpreadsheetSafe,
    TextColumn,
)
from pipeline.commands.terminal import project_root
from stages.entry import check_interpreter
from stages.errors import DataError, RetuneError
from stages.shown import visible

if TYPE_CHECKING:
    from stages.inference import Classifier
    from stages.kept.store import RowStore


def predict(
    texts: Annotated[list[str] | None, typer.Argument(help="Texts to classify.")] = None,
    every_label: Annotated[bool, typer.Option("--all", help="Add the probability of every label.")] = False,
    file: InputFile = None,
    column: TextColumn = None,
    pair_column: PairColumn = None,
    out: OutputFile = None,
    resume: Resume = False,
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
    """Classify texts, or the rows of a file, with the model of the last run; a model of a number gives numbers.

    A file is read as the data of the model was written, unless its name or an option says something else.

    Example: `retune predict "It crashes."` or `retune predict --file in.csv --column text --out out.csv`
    """
    from pipeline.prediction.input_format import InputOptions
    from pipeline.prediction.request import PredictionRequest
    from pipeline.prediction.run import predict_rows

    if bool(texts) == bool(file):
        raise DataError("Give either texts, or the rows of a file: --file FILE (- for standard input).")
    folder = model or _last_model()
    if file:
        request = PredictionRequest(
            file=file,
            out=out,
            model=folder,
            options=InputOptions(file_format, encoding, delimiter, header, quoting, sheet, column, pair_column),
            prefix=prefix,
            spreadsheet_safe=spreadsheet_safe,
            resume=resume,
        )
        predict_rows(request, _load, every_label=every_label)
        return
    for text, prediction in zip(texts or [], _load(folder)(texts or []), strict=True):
        parts = map(_in_a_line, prediction.parts(every_label=every_label))
        typer.echo(f"{'  '.join(parts)}  {_in_a_line(text)[:80]}")


def embed(
    file: InputFile = None,
    column: TextColumn = None,
    pair_column: PairColumn = None,
    out: EmbeddingsFile = None,
    resume: Resume = False,
    model: ModelFolder = None,
    file_format: Format = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    header: Header = None,
    quoting: Quoting = None,
    sheet: Sheet = None,
    prefix: Prefix = "",
) -> None:
    """Write the sentence embedding of each row of a file to Parquet: the mean of the tuned encoder's token vectors.

    Example: `retune embed --file in.csv --column text --out embeddings.parquet`
    """
    from pipeline.prediction.input_format import InputOptions
    from pipeline.prediction.request import PredictionRequest
    from pipeline.prediction.run import embed_rows

    if not file:
        raise DataError("Give the rows: --file FILE (- for standard input).")
    request = PredictionRequest(
        file=file,
        out=out,
        model=model or _last_model(),
        options=InputOptions(file_format, encoding, delimiter, header, quoting, sheet, column, pair_column),
        prefix=prefix,
        resume=resume,
    )
    embed_rows(request, _load)


def _in_a_line(text: str) -> str:
    return visible(" ".join(text.split()))


def _load(folder: Path) -> "Classifier":
    check_interpreter()
    from stages.inference import Classifier  # imported here, so that `retune --help` does not load torch

    return Classifier.load(folder, store=_store())


def _store() -> "RowStore":
    """Return where the project keeps what it has computed; outside a project nothing is kept."""
    from stages.kept.store import RowStore, open_store
    from stages.params import read_params
    from stages.paths import Paths

    try:
        paths = Paths(project_root())
        return open_store(paths, read_params(paths.params).machine)
    except RetuneError:  # a model works without a project, and with one whose params.yaml is being edited
        return RowStore(Path(), limit=0)


def _last_model() -> Path:
    from stages.paths import Paths

    root = project_root()
    return (Paths().report if root == Path.cwd() else Paths(root).report) / "model"
