"""`retune predict` and `retune embed`: use the model of the last run."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import sharing
from pipeline.commands.terminal import project_root
from stages.errors import DataError

if TYPE_CHECKING:
    from pipeline.prediction.request import Job
    from stages.inference import Classifier


@dataclass(frozen=True)
class Rows:
    """Which rows are read, by which model, and what is written."""

    file: Annotated[str | None, typer.Option(help="CSV, TSV, JSONL, Parquet or text lines; - is standard input.")] = (
        None
    )
    column: Annotated[str, typer.Option(help="Column of the texts.")] = "text"
    pair_column: Annotated[str | None, typer.Option(help="Column of the second texts, for a model of pairs.")] = None
    out: Annotated[Path | None, typer.Option(help="File to write; else standard output.")] = None
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted run was.")] = False
    model: Annotated[Path | None, typer.Option(help="A model's folder instead of data/report/model.")] = None
    kind: Annotated[
        str | None, typer.Option("--format", help="Of the rows, where the file's name does not say it.")
    ] = None
    encoding: Annotated[str | None, typer.Option(help="Of a text file, where it is not UTF-8.")] = None
    prefix: Annotated[str, typer.Option(help="Put before the names of the added columns.")] = ""

    @property
    def model_folder(self) -> Path:
        """The folder that was named, else that of the last run."""
        return self.model or _last_model()

    def job(self, file: str) -> "Job":
        """What `pipeline.prediction.run` works on."""
        from pipeline.prediction.request import Job

        return Job(
            file=file,
            out=self.out,
            model=self.model_folder,
            column=self.column,
            pair_column=self.pair_column,
            kind=self.kind,
            encoding=self.encoding,
            prefix=self.prefix,
            resume=self.resume,
        )


@sharing(Rows)
def predict(
    rows: Rows,
    texts: Annotated[list[str] | None, typer.Argument(help="Texts to classify.")] = None,
    every_label: Annotated[bool, typer.Option("--all", help="The probability of every label as well.")] = False,
) -> None:
    """Classify texts, or the rows of a CSV, TSV, JSONL, Parquet or text file, with the model of the last run.

    Example: `retune predict "It crashes."`, `retune predict --file in.csv --column text --out out.csv`
    """
    from pipeline.prediction.run import predict_rows

    if rows.file and not texts:
        predict_rows(rows.job(rows.file), _load, every_label=every_label)
        return
    if not texts or rows.file:
        raise DataError("Give texts, or the rows of a file: --file FILE (- for standard input), and not both.")
    for text, prediction in zip(texts, _load(rows.model_folder)(texts), strict=True):
        others = "".join(f"  {label} {share:.3f}" for label, share in prediction.probabilities.items())
        shown = " ".join(text.split())
        typer.echo(f"{prediction.label}  {prediction.probability:.3f}{others if every_label else ''}  {shown[:80]}")


@sharing(Rows)
def embed(rows: Rows) -> None:
    """Write the sentence embedding of each row of a file to Parquet: the tuned encoder's mean over the tokens.

    Example: `retune embed --file in.csv --column text --out embeddings.parquet`
    """
    from pipeline.prediction.run import embed_rows

    if not rows.file:
        raise DataError("Give the rows: --file FILE (- for standard input).")
    embed_rows(rows.job(rows.file), _load)


def _load(folder: Path) -> "Classifier":
    from stages.inference import Classifier  # here, so that `retune --help` does not wait for torch

    return Classifier.load(folder)


def _last_model() -> Path:
    from stages.paths import Paths

    root = project_root()
    return (Paths().report if root == Path.cwd() else Paths(root).report) / "model"
