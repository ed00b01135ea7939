"""The first rows of a data file: its encoding and delimiter, its columns, and what stands in them."""

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dataset.dialect_guess import find_delimiter, is_header, is_number, json_format
from pipeline.dataset.opening import find_encoding, open_text
from pipeline.dataset.sheets import other_sheet
from stages.errors import DataError
from stages.reading.dialect import Dialect
from stages.reading.json_rows import read_json, read_json_lines
from stages.reading.lines import Lines, Row
from stages.reading.separated import SEPARATOR_LINE
from stages.reading.values import present_keys, value_at
from stages.reading.workbook import read_workbook, sheet_names
from stages.special_files import SpecialFileError, open_regular

ROWS = 100_000  # that are looked at: a file sorted by label shows its labels late
NOTHING: Mapping[str, Any] = {}
LINES = 50  # that tell the delimiter
MOST_VALUES = 10_000  # of a column that are told apart
LONGEST_FIELD = 10_000_000  # characters, as the stage reads them


@dataclass
class Column:
    """What stands in one column.

    Attributes:
        name: Its name, or its number (from 0) where there is no header.
        filled: Rows in which it is not blank.
        characters: Of all its values.
        values: The distinct ones, up to MOST_VALUES.
        numbers: Are all of them numbers?
    """

    name: str | int
    filled: int = 0
    characters: int = 0
    values: dict[str, None] = field(default_factory=dict)
    numbers: bool = True

    def add(self, value: str) -> None:
        """Take the value of one row into account."""
        value = value.strip()
        if not value:
            return
        self.filled += 1
        self.characters += len(value)
        self.numbers = self.numbers and is_number(value)
        if len(self.values) < MOST_VALUES:
            self.values[value] = None

    @property
    def mean_length(self) -> float:
        """Characters of a value, on average."""
        return self.characters / max(1, self.filled)


@dataclass(frozen=True)
class Sample:
    """The first rows of a file, and how it is to be read.

    Attributes:
        rows: How many were looked at.
        guessed: The encoding is a guess, which nothing in the file says.
        delimiter: None: that of the format.
        splits: Split of each folder of a folder; empty: it has no such folders.
        notes: What else a person may want to know: its name, and the text.
        sheets: Names of the sheets of a workbook.
    """

    format: str
    columns: tuple[Column, ...] = ()
    rows: int = 0
    encoding: str = "utf-8"
    guessed: bool = False
    delimiter: str | None = None
    header: bool = True
    quoting: bool = True
    sheet: str | int | None = None
    sheets: tuple[str, ...] = ()
    splits: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[tuple[str, str], ...] = ()

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
        sample = readers[file_format](path, file_format, given)
    except SpecialFileError as error:
        raise DataError(f"{path} is {error.kind}, not a file with rows. Name a file.") from error
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing. Name a file that exists.") from error
    except (pa.ArrowException, csv.Error, EOFError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno:  # of the system, not of what unpacks
            raise
        problem = " ".join(str(error).split())
        raise DataError(f"{path} can't be read as {file_format}: {problem}. Correct the file, or its name.") from error
    if not sample.rows:
        raise DataError(f"{path} has no rows. Give a file with rows{other_sheet(sample.sheets, sample.sheet)}.")
    return sample


def _encoding(path: Path, given: Mapping[str, Any]) -> tuple[str, bool]:
    """The encoding that a person has set, or that of the first bytes; and whether it is a guess."""
    return (given["encoding"], False) if "encoding" in given else find_encoding(path)


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
    encoding, guessed = _encoding(path, given)
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
        return _count(Sample(file_format, encoding=encoding, guessed=guessed), _objects(rows))


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
        names, rows = read_workbook(file, str(path), Dialect(file_format, header=False, sheet=sheet))
        first = next(rows, None)
        cells = ["" if cell is None else str(cell) for cell in first.cells or ()] if first else names
        header = given.get("header", is_header(cells))
        keys: list[str | int] = [*cells] if header else [*range(len(cells))]
        body = rows if header or first is None else itertools.chain([first], rows)
        dicts = (dict(zip(keys, row.cells or (), strict=True)) for row in body)
        return _count(Sample(file_format, header=header, sheet=sheet, sheets=tuple(sheets)), dicts)


def _separated(path: Path, file_format: str, given: Mapping[str, Any]) -> Sample:
    (encoding, guessed), usual = _encoding(path, given), "," if file_format == "csv" else "\t"
    quoting = given.get("quoting", True)
    csv.field_size_limit(LONGEST_FIELD)
    with open_text(path, encoding) as stream:
        first = list(itertools.islice(stream, LINES))
        named = SEPARATOR_LINE.fullmatch(first[0]) if first else None  # a line that is for Excel
        first = first[1:] if named else first
        if "delimiter" in given:
            delimiter = given["delimiter"] or usual
        else:
            delimiter = named[1] if named else find_delimiter(first) if file_format == "csv" else usual
        style = csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE
        rows = (row for row in csv.reader(itertools.chain(first, stream), delimiter=delimiter, quoting=style) if row)
        names = next(rows, [])
        header = given.get("header", is_header(names))
        keys: list[str | int] = [*names] if header else [*range(len(names))]
        body = rows if header else itertools.chain([names], rows)
        sample = Sample(
            file_format,
            encoding=encoding,
            guessed=guessed,
            delimiter=None if delimiter == usual else delimiter,
            header=header,
            quoting=quoting,
        )
        return _count(sample, (dict(zip(keys, row, strict=True)) for row in body if len(row) == len(keys)))


def _table_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        yield from map(_flat, batch.to_pylist())


def _count(sample: Sample, rows: Iterable[Mapping[Any, Any]]) -> Sample:
    """The sample with what stands in the columns of its first rows; lists and the like are left out."""
    columns: dict[str | int, Column] = {}
    number = 0
    for row in itertools.islice(rows, ROWS):
        number += 1
        for name, value in row.items():
            if value is None or isinstance(value, str | int | float):
                columns.setdefault(name, Column(name)).add("" if value is None else str(value))
    return replace(sample, columns=tuple(columns.values()), rows=number)
