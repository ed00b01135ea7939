"""What `retune predict` and `retune embed` read and write, as the command line says it."""

import contextlib
import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.prediction.windows import FORMATS
from pipeline.prediction.writers import Output, Parquet, Text
from stages.errors import DataError
from stages.files import sha256

STDIN = "-"


@dataclass(frozen=True)
class Job:
    """Rows to read and a file to write.

    Args:
        file: CSV, TSV, JSONL, Parquet or text lines; `-` is standard input.
        out: The file to write; None: standard output.
        model: The model's folder.
        column: Of the texts.
        pair_column: Of the second texts, for a model of pairs.
        kind: Of `file`: csv, tsv, jsonl, parquet or lines; None: by its name.
        encoding: Of a text format, by Python's name; None: UTF-8.
        prefix: Put before the names of the columns that are added.
        resume: Go on with an interrupted run?
    """

    file: str
    out: Path | None
    model: Path
    column: str = "text"
    pair_column: str | None = None
    kind: str | None = None
    encoding: str | None = None
    prefix: str = ""
    resume: bool = False


def input_kind(job: Job) -> str:
    """Return the format of the rows.

    Raises:
        DataError: It is not known, or can't be streamed.
    """
    kind = job.kind or FORMATS.get(Path(job.file).suffix.lower())
    if job.file == STDIN and kind is None:
        return "csv"
    if kind is None or kind not in FORMATS.values():
        raise DataError(f"{input_name(job)}: its name does not say its format. Give --format: {', '.join(_kinds())}.")
    if job.file == STDIN and kind == "parquet":
        raise DataError("Parquet can't be read from standard input. Give the file with --file.")
    return kind


def _kinds() -> list[str]:
    return list(dict.fromkeys(FORMATS.values()))


def output_of(job: Job) -> Output:
    """Return how the rows are written.

    Raises:
        DataError: The name of the output does not say it, or is that of the input.
    """
    if job.out is None:
        kind = input_kind(job)
        return Text(kind if kind in ("csv", "tsv", "jsonl") else "csv")
    kind = FORMATS.get(job.out.suffix.lower(), "")
    if kind in ("", "lines"):
        raise DataError(f"--out {job.out}: write a file that ends in .csv, .tsv, .jsonl or .parquet.")
    if job.file != STDIN and Path(job.file).resolve() == job.out.resolve():
        raise DataError(f"--out {job.out} is the file that is read. Give another name.")
    return Parquet() if kind == "parquet" else Text(kind)


@contextlib.contextmanager
def open_input(job: Job) -> Iterator[BinaryIO]:
    """Open the file or standard input.

    Raises:
        DataError: It is missing, or can't be gone back to where that is asked for.
    """
    if job.file == STDIN:
        if job.resume:
            raise DataError("--resume needs a file to go back to. Give it with --file.")
        yield sys.stdin.buffer
        return
    if job.resume and job.out is None:
        raise DataError("--resume needs the file that was being written. Give it with --out.")
    path = Path(job.file)
    if path.is_dir():
        raise DataError(f"{path} is a folder. Give a file.")
    if not path.is_file():
        raise DataError(f"{path} is missing. Give --file a file, or - for standard input.")
    with path.open("rb") as file:
        yield file


def input_size(job: Job, kind: str) -> int | None:
    """Return how much there is to read: bytes, or rows of Parquet; None where that is not known."""
    if job.file == STDIN:
        return None
    if kind != "parquet":
        return Path(job.file).stat().st_size
    try:
        return pq.read_metadata(job.file).num_rows  # type: ignore[no-any-return]
    except (pa.ArrowInvalid, OSError):  # no Parquet: reading it says so
        return None


def input_name(job: Job) -> str:
    """Return what messages call the input."""
    return "standard input" if job.file == STDIN else job.file


def identity_of(job: Job, options: Mapping[str, object]) -> dict[str, object]:
    """Return what a run must have in common with the one that it goes on with."""
    identity: dict[str, object] = {
        "input": None if job.file == STDIN else sha256(Path(job.file)),
        "model": _folder_hash(job.model),
        "--column": [job.column, job.pair_column],
        "--format": job.kind,
        "--encoding": job.encoding,
        "--prefix": job.prefix,
    }
    return identity | dict(options)


def _folder_hash(folder: Path) -> str:
    files = sorted(path for path in folder.glob("*") if path.suffix in (".json", ".safetensors"))
    return hashlib.sha256("".join(f"{path.name} {sha256(path)}\n" for path in files).encode()).hexdigest()
