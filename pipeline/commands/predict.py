"""`retune predict` and `retune embed`: use the model of the last run."""

from functools import partial
from typing import Annotated

import typer

from pipeline.commands.model import last_model, load
from pipeline.commands.options import (
    Delimiter,
    EmbeddingsFile,
    Encoding,
    Format,
    Header,
    InferenceOption,
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
from pipeline.commands.terminal import require_output
from stages.data_format import read_data_format
from stages.errors import DataError
from stages.shown import visible


def predict(
    texts: Annotated[list[str] | None, typer.Argument(help="Texts to classify.")] = None,
    every_label: Annotated[bool, typer.Option("--all", help="Add the probability of every label.")] = False,
    file: InputFile = None,
    column: TextColumn = None,
    pair_column: PairColumn = None,
    out: OutputFile = None,
    resume: Resume = False,
    model: ModelFolder = None,
    precision: InferenceOption = "auto",
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

    A file is read in the format of the model's training data, unless its name or an option says otherwise.

    Example: `retune predict "It crashes."` or `retune predict --file in.csv --column text --out out.csv`
    """
    from pipeline.prediction.input_format import InputOptions
    from pipeline.prediction.request import PredictionRequest
    from pipeline.prediction.run import predict_rows, print_text

    if bool(texts) == bool(file):
        raise DataError("Give either texts, or the rows of a file: --file FILE (- for standard input).")
    options = InputOptions(file_format, encoding, delimiter, header, quoting, sheet, column, pair_column)
    if texts and (out or resume or prefix or spreadsheet_safe or options != InputOptions()):
        raise DataError("Texts have no columns and no file. Give --all, --model and --precision alone with them.")
    folder = model or last_model()
    if out is None:
        require_output()
    if file:
        request = PredictionRequest(
            file=file,
            out=out,
            model=folder,
            options=options,
            prefix=prefix,
            spreadsheet_safe=spreadsheet_safe,
            resume=resume,
            precision=precision,
        )
        predict_rows(request, partial(load, precision=precision), every_label=every_label)
        return
    data_format = read_data_format(folder) if folder.is_dir() else None
    if data_format and data_format.of_pairs:
        raise DataError(
            "The model expects pairs of texts, but these are single texts. Give a file with both columns: "
            "retune predict --file FILE"
        )
    for text, prediction in zip(texts or [], load(folder, precision=precision)(texts or []), strict=True):
        parts = map(_in_a_line, prediction.parts(every_label=every_label))
        print_text(f"{'  '.join(parts)}  {_in_a_line(text)[:80]}\n")


def embed(
    file: InputFile = None,
    column: TextColumn = None,
    pair_column: PairColumn = None,
    out: EmbeddingsFile = None,
    resume: Resume = False,
    model: ModelFolder = None,
    precision: InferenceOption = "auto",
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
        model=model or last_model(),
        options=InputOptions(file_format, encoding, delimiter, header, quoting, sheet, column, pair_column),
        prefix=prefix,
        resume=resume,
        precision=precision,
    )
    embed_rows(request, partial(load, precision=precision))


def _in_a_line(text: str) -> str:
    return visible(" ".join(text.split()))
