"""What `retune predict` and `retune embed` read and write, as the command line says it."""

import contextlib
import hashlib
import io
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.prediction.folders import FolderFiles, is_folder
from pipeline.prediction.input_format import STDIN, TEXT, InputOptions
from pipeline.prediction.packed import unpacked
from pipeline.prediction.places import open_file
from pipeline.prediction.writers import ParquetWriter, TextWriter, Writer
from stages.errors import DataError
from stages.files import sha256
from stages.git_lfs import WHAT, is_pointer
from stages.messages import short
from stages.model_files import TOKENIZER_FILES
from stages.reading.binary import refuse_binary
from stages.reading.dialect import DELIMITERS, OPTIONS
from stages.reading.encodings import HEAD
from stages.reading.suffixes import SUFFIXES
from stages.schema_types import InferencePrecision
from stages.texts import has_surrogates
from stages.tokenizer_check import LARGEST

JSON = ("jsonl", "json")
READ = (".json", ".safetensors")  # suffixes of a model's files that loading may read, beside those of its tokenizer


@dataclass(frozen=True)
class PredictionRequest:
    """The rows to read, the model, and the file to write.

    Args:
        file: CSV, TSV, JSON, JSON lines, Parquet, Arrow, a workbook or text lines, the text formats packed or not; or a
            folder; `-` is standard input.
        out: The file to write; None: standard output.
        model: The model's folder.
        options: How `file` is read; what they don't say is as its name and the model say.
        prefix: Prefix of the names of the added columns.
        spreadsheet_safe: Write texts so that no spreadsheet takes one for a formula? For CSV and TSV.
        resume: Continue an interrupted run?
        precision: As `Classifier.load` takes it.

    Raises:
        DataError: An option's text is empty, as a variable of a script that is not set; or has bytes that are not
            UTF-8, which neither OUT nor OUT.partial can hold.
    """

    file: str
    out: Path | None
    model: Path
    options: InputOptions = InputOptions()  # noqa: RUF009 (it is frozen)
    prefix: str = ""
    spreadsheet_safe: bool = False
    resume: bool = False
    precision: InferencePrecision = "auto"

    def __post_init__(self) -> None:
        for key, value in {"prefix": self.prefix, **vars(self.options)}.items():
            name = key.replace("_", "-")
            if value == "" and key != "prefix":
                raise DataError(f"--{name} is empty. Give a value, or leave it out.")
            if isinstance(value, str) and has_surrogates(value):
                raise DataError(f"--{name} {short(value)} is not valid Unicode. Give it in UTF-8.")

    @property
    def input_name(self) -> str:
        """What messages call the input."""
        return "standard input" if self.file == STDIN else self.file


def writer_for(request: PredictionRequest, read: str) -> Writer:
    """Return the writer of the output's format, for an input of the format `read`.

    Raises:
        DataError: The output has no known format, or can't hold that of the input.
    """
    if request.out is None:
        name = "jsonl" if read in JSON else read if read in DELIMITERS else "csv"
    else:
        name = SUFFIXES.get(request.out.suffix.lower(), "lines")
    if name not in (*DELIMITERS, "jsonl", "parquet"):
        raise DataError(f"--out {request.out}: the format is not known. Give a name in .csv, .tsv, .jsonl or .parquet.")
    if name in DELIMITERS and read in JSON:
        raise DataError(
            "JSON objects have no fixed columns, so they can't become CSV. Give --out FILE.jsonl or FILE.parquet."
        )
    if request.spreadsheet_safe and name not in DELIMITERS:
        raise DataError(f"--spreadsheet-safe is for CSV and TSV, and the output is {name}. Leave it out.")
    return ParquetWriter() if name == "parquet" else TextWriter(name, spreadsheet_safe=request.spreadsheet_safe)


@contextlib.contextmanager
def open_input(request: PredictionRequest, file_format: str) -> Iterator[BinaryIO]:
    """Open the file, folder or standard input, of a format.

    Raises:
        DataError: The file can't be read, or the run can't be resumed because it reads or writes a stream.
    """
    if request.file == STDIN:
        if request.resume:
            raise DataError("--resume can't read standard input again. Give a file with --file.")
        if sys.stdin is None:
            raise DataError("Standard input is closed. Give a file with --file, or send rows to standard input.")
        stream = sys.stdin.buffer
        yield unpacked(stream, request.input_name) if file_format in TEXT else stream  # type: ignore[arg-type]
        return
    if request.resume and request.out is None:
        raise DataError("--resume needs the file of the interrupted run. Give it with --out.")
    if is_folder(request.file):
        yield FolderFiles(Path(request.file), file_format)
        return
    with open_file(Path(request.file)) as file:
        head = file.read(HEAD)
        if is_pointer(head):
            raise DataError(f"{request.file} is {WHAT}")
        if file_format not in TEXT:  # a text may be packed: it is checked when it is unpacked
            refuse_binary(head, request.file, file_format, OPTIONS)
        file.seek(0)
        yield unpacked(file, request.input_name) if file_format in TEXT else file


def input_size(file: BinaryIO, request: PredictionRequest, file_format: str) -> int | None:
    """Return the size of the open input: bytes, or rows of Parquet; None: not known."""
    if request.file == STDIN:
        return None
    if file_format in ("excel", "arrow", "folders") or not isinstance(getattr(file, "raw", None), io.FileIO):
        return None
    if file_format != "parquet":
        return os.fstat(file.fileno()).st_size
    try:
        return pq.read_metadata(file).num_rows  # type: ignore[no-any-return]
    except (pa.ArrowInvalid, OSError):  # not Parquet: the reader raises the error
        return None


def run_identity(file: BinaryIO, request: PredictionRequest, options: Mapping[str, object]) -> dict[str, object]:
    """Return what must be equal for a run to continue an interrupted one, by the name that messages give it."""
    said = request.options
    identity: dict[str, object] = {
        "input": None if request.file == STDIN else _hash(file),
        "model": _folder_hash(request.model),
        "--column": said.column,
        "--pair-column": said.pair_column,
        "--format": said.format,
        "--encoding": said.encoding,
        "--delimiter, --header, --quoting or --sheet": [said.delimiter, said.header, said.quoting, said.sheet],
        "--prefix": request.prefix,
        "--precision": request.precision,
        "--spreadsheet-safe": request.spreadsheet_safe,
    }
    return identity | dict(options)


def _hash(file: BinaryIO) -> str:
    """The SHA-256 of an open file, which is left at its start."""
    if isinstance(file, FolderFiles):
        return file.digest()
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    file.seek(0)
    return digest


def _folder_hash(folder: Path) -> str:
    read = sorted(path for path in folder.glob("*") if path.suffix in READ or path.name in TOKENIZER_FILES)
    files = [path for path in read if path.is_file()]  # no pipe, which would be waited for
    files = [path for path in files if path.suffix != ".json" or path.stat().st_size <= LARGEST]  # refused later
    lines = "".join(f"{path.name} {sha256(path)}\n" for path in files)
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
