"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Overrides = Annotated[
    list[str] | None, typer.Option("-S", "--set", metavar="KEY=YAML", help="Set a key of params.yaml; may be repeated.")
]

# of `retune predict` and `retune embed`
InputFile = Annotated[str | None, typer.Option(help="CSV, TSV, JSONL, Parquet or text lines; - is standard input.")]
TextColumn = Annotated[str, typer.Option(help="Column of the texts.")]
PairColumn = Annotated[str | None, typer.Option(help="Column of the second texts, for a model of pairs.")]
OutputFile = Annotated[Path | None, typer.Option(help="File to write; default: standard output.")]
EmbeddingsFile = Annotated[Path | None, typer.Option(help="Parquet file to write.")]
Resume = Annotated[bool, typer.Option("--resume", help="Resume an interrupted run.")]
ModelFolder = Annotated[Path | None, typer.Option(help="Folder of a model; default: data/report/model.")]
Format = Annotated[
    str | None, typer.Option("--format", help="csv, tsv, jsonl, parquet or lines; default: by the file name.")
]
Encoding = Annotated[str | None, typer.Option(help="Encoding of a text file that is not UTF-8.")]
SpreadsheetSafe = Annotated[
    bool, typer.Option("--spreadsheet-safe", help="CSV and TSV: an apostrophe before what a spreadsheet would compute.")
]
Prefix = Annotated[str, typer.Option(help="Start of the names of the added columns.")]
