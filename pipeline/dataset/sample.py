"""The first rows of a data file: its encoding and delimiter, its columns, and what stands in them."""

import csv
import io
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dataset.broken_rows import SETTINGS, with_a_good_one
from pipeline.dataset.column import Column
from pipeline.dataset.dialect_guess import FirstRow, find_delimiter, json_format, refuse_layout
from pipeline.dataset.opening import find_encoding, first_bytes, open_text, refuse_other
from pipeline.dataset.sheets import other_sheet
from stages.errors import DataError
from stages.reading.dialect import DELIMITERS, Dialect
from stages.reading.encoding_check import check_encoding
from stages.reading.encodings import guess_shown
from stages.reading.json_rows import read_json, read_json_lines
from stages.reading.lines import Lines, Row, decode
from stages.reading.separated import SEPARATOR_LINE, read_separated
from stages.reading.unpacking import DAMAGE
from stages.reading.values import NotTextError, as_text, present_keys, value_at
from stages.reading.workbook import read_workbook, sheet_names
from stages.special_files import SpecialFileError, open_regular

ROWS = 100_000  # that are looked at: a file sorted by label shows its labels late
NOTHING: Mapping[str, Any] = {}
LINES = 50  # that tell the delimiter


@dataclass(frozen=True)
class Sample:
    """The first rows of a file, and how it is to be read.

    Attributes:
        rows: How many were looked at.
        guess: What a message says of an encoding that is a guess, which nothing in the file says.
        delimiter: None: that of the format.
        splits: Split of each folder of a folder; empty: it has no such folders.
        notes: What else a person may want to know: its name, and the text.
        sheets: Names of the sheets of a workbook.
        twice: Names that several columns have; these are left out.
        lists: Names of the columns of lists; these are not among `columns`.
    """

    format: str
    columns: tuple[Column, ...] = ()
    rows: int = 0
    encoding: str = "utf-8"
    guess: str = ""
    delimiter: str | None = None
    header: bool = True
    quoting: bool = True
    sheet: str | int | None = None
    sheets: tuple[str, ...] = ()
    splits: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[tuple[str, str], ...] = ()
    twice: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()

    def with_notes(self, *notes: tuple[str, str]) -> "Sample":
        """The sample with those notes that have a text."""
        return replace(self, notes=tuple(note for note in notes if note[1]))


def read_sample(path: Path, file_format: str, given: Mapping[str, Any] = NOTHING) -> Sample:
    """Look at the first rows of a file.

    Args:
        path: The file; gzip, zstd, bzip2 and xz are unpacked.
        file_format: csv, tsv, jsonl, json, excel, parquet or arrow.
        given: What a person has set of how it is read, by key of download.dataset; the rest is guessed.

    Raises:
        DataError: It can't be read in this format, or has no rows.
    """
    readers = {
        "parquet": _parquet,
        "arrow": _arrow,
        "jsonl": _json,
        "json": _json,
        "excel": _workbook,
        "csv": _separated,
        "tsv": _separated,
    }
    try:
        refuse_other(path, file_format)
        sample = readers[file_format](path, file_format, given)
    except SpecialFileError as error:
        raise DataError(f"{path} is {error.kind}, not a file with rows. Name a file.") from error
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing. Name a file that exists.") from error
    except (*DAMAGE, csv.Error, ValueError) as error:
        if isinstance(error, OSError) and error.errno:  # of the system, not of what unpacks
            raise
        problem = " ".join(str(error).split())
        raise DataError(f"{path} can't be read as {file_format}: {problem}. Correct the file, or its name.") from error
    if not sample.rows:
        raise DataError(f"{path} has no rows. Give a file with rows{other_sheet(sample.sheets, sample.sheet)}.")
    return sample


def _encoding(path: Path, given: Mapping[str, Any]) -> tuple[str, str]:
    """The encoding that a person has set, or that of the first bytes; and a guess as a message shows it."""
    if "encoding" in given:
        dialect = Dialect("lines", given["encoding"])
        decode(io.BytesIO(), dialect)  # refuses what Python does not know
        check_encoding(first_bytes(path), str(path), dialect)
        return given["encoding"], ""
    encoding = find_encoding(path)
    return str(encoding.name), guess_shown(encoding) if encoding.guessed else ""


def _parquet(path: Path, file_format: str, _: Mapping[str, Any]) -> Sample:
    with open_regular(path) as file:
        return _count(Sample(file_format), _table_rows(pq.ParquetFile(file).iter_batches(batch_size=1000)))


def _arrow(path: Path, file_format: str, _: Mapping[str, Any]) -> Sample:
    with open_regular(path) as file:
        is_file = file.read(6) == b"ARROW1"
        file.seek(0)
        reader = pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)
        batches = map(reader.get_batch, range(reader.num_record_batches)) if is_file else iter(reader)
        return _count(Sample(file_format), _table_rows(batches))


def _json(path: Path, file_format: str, given: Mapping[str, Any]) -> Sample:
    """Rows of JSON lines, or of one array, whichever the name says."""
    encoding, guess = _encoding(path, given)
    if "format" not in given:
        with open_text(path, encoding) as stream:
            file_format = json_format(stream, file_format)
    with open_text(path, encoding) as stream:
        name, dialect = str(path), Dialect(file_format)
        is_array = file_format == "json"
        rows = (
            read_json(stream, name, dialect)
            if is_array
            else read_json_lines(Lines(stream, name, dialect), name, dialect)
        )
        return _count(Sample(file_format, encoding=encoding, guess=guess), _objects(rows))


def _objects(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Yield the values of the rows that are objects.

    Raises:
        ValueError: None is, and a row is broken; the message says how.
    """
    problem, some = None, False
    for row in rows:
        if isinstance(row.cells, dict):
            some = True
            yield _flat(row.cells)
        problem = problem or row.problem
    if problem and not some:
        raise ValueError(problem)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a row, those of the objects in it by names such as `review.body`."""
    return {key: value_at(row, key) for key in present_keys(row)}


def _workbook(path: Path, file_format: str, given: Mapping[str, Any]) -> Sample:
    with open_regular(path) as file:
        sheets, sheet = sheet_names(file, str(path)), given.get("sheet")
        rows = read_workbook(file, str(path), Dialect(file_format, header=False, sheet=sheet)).rows
        return _table(Sample(file_format, sheet=sheet, sheets=tuple(sheets)), rows, given.get("header"))


def _separated(path: Path, file_format: str, given: Mapping[str, Any]) -> Sample:
    (encoding, guess), usual, name = _encoding(path, given), DELIMITERS[file_format], str(path)
    quoting = given.get("quoting", True)
    with open_text(path, encoding) as stream:
        first = list(itertools.islice(stream, LINES))
    named = SEPARATOR_LINE.fullmatch(first[0]) if first else None  # a line that is for Excel
    if "delimiter" in given:
        delimiter = given["delimiter"] or usual
    else:
        delimiter = named[1] if named else find_delimiter(first, usual)
    if not named and "delimiter" not in given:
        refuse_layout(name, first, delimiter)
    with open_text(path, encoding) as stream:
        dialect = Dialect(file_format, delimiter=delimiter, header=False, quoting=quoting, settings=SETTINGS)
        _, rows, _ = read_separated(Lines(stream, name, dialect), name, dialect)
        found = None if delimiter == usual else delimiter
        sample = Sample(file_format, encoding=encoding, guess=guess, delimiter=found, quoting=quoting)
        return _table(sample, with_a_good_one(rows, name, given.get("header")), given.get("header"))


def _table(sample: Sample, rows: Iterable[Row], header: bool | None) -> Sample:
    """The sample with the columns of rows of cells; whether the first has their names is set, or seen (None)."""
    good = (["" if cell is None else str(cell) for cell in row.cells or ()] for row in rows if row.problem is None)
    cells = next(good, None)
    if cells is None:
        return sample
    first = FirstRow(cells, header)
    counted = _count(sample, (dict(enumerate(row)) for row in first.watch(good)))
    if not any(column.filled for column in counted.columns):
        return sample
    if not first.header:
        return replace(counted, header=False)
    twice = tuple(name for name, count in Counter(cells).items() if count > 1 and name.strip())
    columns = tuple(
        replace(column, name=cells[int(column.name)])
        for column in counted.columns
        if cells[int(column.name)] not in twice
    )
    return replace(counted, columns=columns, twice=twice)


def _table_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        yield from map(_flat, batch.to_pylist())


def _count(sample: Sample, rows: Iterable[Mapping[Any, Any]]) -> Sample:
    """The sample with what stands in the columns of its first rows; values of lists and the like are left out."""
    columns: dict[str | int, Column] = {}
    lists: dict[str, None] = {}
    number = 0
    for row in itertools.islice(rows, ROWS):
        number += 1
        for name, value in row.items():
            try:
                text = as_text(value) or ""
            except NotTextError:
                if isinstance(value, list):
                    lists[str(name)] = None
                continue
            columns.setdefault(name, Column(name)).add(text)
    kept = tuple(column for column in columns.values() if column.filled or column.name not in lists)
    return replace(sample, columns=kept, rows=number, lists=tuple(lists))
