"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from stages.errors import DataError


def a_path(option: str) -> dict[str, Any]:
    """The arguments of an option for a path that may not be empty: `Path` takes that for the current folder."""

    def parse(value: str) -> Path:
        if not value:
            raise DataError(f"{option} is empty. Give a value, or leave it out.")
        return Path(value)

    return {"parser": parse, "metavar": "PATH"}


Overrides = Annotated[
    list[str] | None, typer.Option("-S", "--set", metavar="KEY=YAML", help="Set a key of params.yaml; may be repeated.")
]

# of `retune predict` and `retune embed`; what is not said is as the data of the model was written
InputFile = Annotated[
    str | None,
    typer.Option(
        help="CSV, TSV, JSON, JSON lines, Parquet, Arrow, Excel, text lines, or a folder; - is standard input."
    ),
]
TextColumn = Annotated[
    str | None,
    typer.Option(help="Column of the texts; review.body for a key in an object. Default: the model's, else text."),
]
PairColumn = Annotated[
    str | None, typer.Option(help="Column of the second texts, for a model of pairs; default: the model's.")
]
Delimiter = Annotated[str | None, typer.Option(help="Separator of the fields of CSV and TSV; default: the model's.")]
Header = Annotated[
    bool | None,
    typer.Option("--header/--no-header", help="Does the first line of CSV, TSV and Excel have the column names?"),
]
Quoting = Annotated[bool | None, typer.Option("--quoting/--no-quoting", help='Does " quote fields in CSV and TSV?')]
Sheet = Annotated[
    str | None, typer.Option(help="Sheet of a workbook, by name, else number (from 0); default: the first.")
]
OutputFile = Annotated[Path | None, typer.Option(help="File to write; default: standard output.", **a_path("--out"))]
EmbeddingsFile = Annotated[Path | None, typer.Option(help="Parquet file to write.", **a_path("--out"))]
Resume = Annotated[bool, typer.Option("--resume", help="Resume an interrupted run.")]
InferenceOption = Annotated[
    Literal["auto", "32"],
    typer.Option(
        "--precision", help="auto: bf16 if the hardware computes in it, else float32; 32: float32, which is slower."
    ),
]
ModelFolder = Annotated[
    Path | None, typer.Option(help="Folder of a model; default: data/report/model.", **a_path("--model"))
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format", help="csv, tsv, jsonl, json, parquet, arrow, excel or lines; default: from the file's name."
    ),
]
Encoding = Annotated[str | None, typer.Option(help="Encoding of a text file; default: the model's, else UTF-8.")]
SpreadsheetSafe = Annotated[
    bool,
    typer.Option(
        "--spreadsheet-safe", help="CSV and TSV: write an apostrophe before cells that a spreadsheet would compute."
    ),
]
Prefix = Annotated[str, typer.Option(help="Prefix of the names of the added columns.")]
