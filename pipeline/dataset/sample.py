"""The first rows of a data file: its encoding and delimiter, its columns, and what stands in them."""

import csv
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dataset.dialect_guess import FirstRow, find_delimiter, is_number, refuse_layout
from pipeline.dataset.opening import find_encoding, open_text, refuse_other
from stages.errors import DataError
from stages.reading.dialect import DELIMITERS, Dialect
from stages.reading.json_rows import read_json, read_json_lines
from stages.reading.lines import Lines, Row
from stages.reading.separated import SEPARATOR_LINE, read_separated
from stages.reading.values import NotTextError, as_text, present_keys, value_at
from stages.reading.workbook import read_workbook
from stages.special_files import SpecialFileError, open_regular

ROWS = 100_000  # that are looked at: a file sorted by label shows its labels late
LINES = 50  # that tell the delimiter
MOST_VALUES = 10_000  # of a column that are told apart


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
        twice: Names that several columns have; these are left out.
        lists: Names of the columns of lists; these are left out.
    """

    format: str
    columns: tuple[Column, ...] = ()
    rows: int = 0
    encoding: str = "utf-8"
    guessed: bool = False
    delimiter: str | None = None
    header: bool = True
    twice: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()


def read_sample(path: Path, file_format: str) -> Sample:
    """Look at the first rows of a file.

    Args:
        path: The file; gzip, zstd, bzip2 and xz are unpacked.
        file_format: csv, tsv, jsonl, json, excel, parquet or arrow.

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
        with open_regular(path) as file:
            refuse_other(path, file.peek(100))
        sample = readers[file_format](path, file_format)
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
        raise DataError(f"{path} has no rows. Give a file with rows.")
    return sample


def _parquet(path: Path, file_format: str) -> Sample:
    with open_regular(path) as file:
        return _count(Sample(file_format), _table_rows(pq.ParquetFile(file).iter_batches(batch_size=1000)))


def _arrow(path: Path, file_format: str) -> Sample:
    with open_regular(path) as file:
        is_file = file.read(6) == b"ARROW1"
        file.seek(0)
        reader = pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)
        batches = map(reader.get_batch, range(reader.num_record_batches)) if is_file else iter(reader)
        return _count(Sample(file_format), _table_rows(batches))


def _json(path: Path, file_format: str) -> Sample:
    """Rows of JSON lines, or of one array, which may be named .jsonl."""
    encoding, guessed = find_encoding(path)
    with open_text(path, encoding) as stream:
        start = next((line.strip() for line in stream if line.strip()), "")
    if start.startswith("[") and start[1:].lstrip()[:1] in ("{", ""):
        file_format = "json"
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


def _workbook(path: Path, file_format: str) -> Sample:
    with open_regular(path) as file:
        _, rows = read_workbook(file, str(path), Dialect(file_format, header=False))
        return _table(Sample(file_format), rows)


def _separated(path: Path, file_format: str) -> Sample:
    (encoding, guessed), usual, name = find_encoding(path), DELIMITERS[file_format], str(path)
    with open_text(path, encoding) as stream:
        first = list(itertools.islice(stream, LINES))
    named = SEPARATOR_LINE.fullmatch(first[0]) if first else None  # a line that is for Excel
    delimiter = named[1] if named else find_delimiter(first, usual)
    if not named:
        refuse_layout(name, first, delimiter)
    with open_text(path, encoding) as stream:
        dialect = Dialect(file_format, delimiter=delimiter, header=False)
        _, rows, _ = read_separated(Lines(stream, name, dialect), name, dialect)
        found = None if delimiter == usual else delimiter
        return _table(Sample(file_format, encoding=encoding, guessed=guessed, delimiter=found), rows)


def _table(sample: Sample, rows: Iterable[Row]) -> Sample:
    """The sample with the columns of rows of cells, of which the first may have their names."""
    good = (["" if cell is None else str(cell) for cell in row.cells or ()] for row in rows if row.problem is None)
    cells = next(good, None)
    if cells is None:
        return sample
    first = FirstRow(cells)
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
