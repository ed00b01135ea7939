"""A row as read, before any check, and the options that say how a file is read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from stages.columns import SLICE_PREFIX
from stages.errors import DataError
from stages.messages import NAMES, examples, plain, short

LONGEST = 100_000_000  # characters of a row of a text file, and of a cell; what reads and checks them needs a multiple


class Record(NamedTuple):
    """One row as read; only its form is checked."""

    row: int  # line that it starts on (text formats) or its number (tables, folders), from 1
    text: str | None
    text_pair: str | None = None
    label: str | None = None
    id: str | None = None
    group: str | None = None
    problem: str | None = None  # why its form can't be read
    slices: tuple[str | None, ...] = ()  # in the order of `ReadOptions.slice_columns`


@dataclass(frozen=True)
class ReadOptions:
    """How a file is read.

    Args:
        format: csv, tsv, jsonl, lines, folders, parquet, arrow or hf.
        encoding: Of the text formats, by Python's name.
        delimiter: Between the fields of csv and tsv; None: a comma, a tab.
        header: Is the first row of a csv or tsv file the names of the columns?
        quoting: Is `"` a quote in csv and tsv?
        columns: Column of the file by field of a record (`text`, `label`, ...); the field of a slice column is `slice:`
            and its name.
    """

    format: str
    encoding: str
    delimiter: str | None
    header: bool
    quoting: bool
    columns: Mapping[str, str | int]

    @property
    def slice_columns(self) -> list[str]:
        """Names of the slice columns, `slice:` included."""
        return [field for field in self.columns if field.startswith(SLICE_PREFIX)]


def slice_fields(columns: Iterable[str | int]) -> dict[str, str | int]:
    """Return the columns of a file that are kept for slices, by the name of their field."""
    return {f"{SLICE_PREFIX}{column}": column for column in columns}


def params_key(field: str) -> str:
    """Return the key of params.yaml that names the column of a field."""
    return f"download.dataset.columns.{'slices' if field.startswith(SLICE_PREFIX) else field}"


def missing_column(name: str, field: str, column: str | int, present: Sequence[str]) -> DataError:
    """Return the error for a column that a file does not have."""
    shown = examples(present, most=NAMES, show=plain)
    return DataError(f"{name} has no column {short(column)}. It has: {shown}. Correct {params_key(field)}.")


def ambiguous_column(name: str, column: str | int, present: Sequence[str]) -> DataError:
    """Return the error for a column name that a file has several times."""
    times = present.count(str(column))
    return DataError(f"{name} has {times} columns {short(column)}. Give each column a name of its own.")


def require_columns(name: str, options: ReadOptions, present: Iterable[str]) -> None:
    """Check that a file has the columns.

    Raises:
        DataError: One is missing, or there several times; the message lists those that are present.
    """
    present = list(present)
    for field, column in options.columns.items():
        if str(column) not in present:
            raise missing_column(name, field, column, present)
        if present.count(str(column)) > 1:
            raise ambiguous_column(name, column, present)


def typed_record(row: int, values: Mapping[str, Any]) -> Record:
    """Return the record of typed values (JSON, tables): numbers and booleans become text, 3.0 becomes 3."""
    cells: dict[str, str | None] = {}
    for field, value in values.items():
        if isinstance(value, bool):
            cells[field] = str(value).lower()
        elif isinstance(value, float):
            cells[field] = None if value != value else str(int(value)) if value.is_integer() else str(value)
        elif value is None or isinstance(value, str):
            cells[field] = value
        elif isinstance(value, int):
            cells[field] = str(value)
        elif isinstance(value, Decimal):
            cells[field] = _plain_decimal(value)
        elif field.startswith(SLICE_PREFIX):
            cells[field] = str(value)  # a date, a list: slices only compare values
        else:
            return Record(row, None, problem=f"{field}: expected a string or a number, got {type(value).__name__}")
    return record_of(row, cells)


def _plain_decimal(value: Decimal) -> str:
    """Return a decimal number as text without the zeros that end it: 1.50 is 1.5, and 100 stays 100."""
    digits = f"{value if value else abs(value):f}"  # never -0
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def record_of(row: int, cells: Mapping[str, str | None]) -> Record:
    """Return the record of a row's cells, by field."""
    for field, cell in cells.items():
        if cell and len(cell) > LONGEST:
            return Record(row, None, problem=f"{field}: longer than {LONGEST:,} characters")
    slices = tuple(cell for field, cell in cells.items() if field.startswith(SLICE_PREFIX))
    fields = {field: cell for field, cell in cells.items() if not field.startswith(SLICE_PREFIX)} if slices else cells
    return Record(row, **fields, slices=slices)


def encodable(text: str) -> bool:
    """Return whether `text` has no lone surrogate, that is, no byte that could not be decoded."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
