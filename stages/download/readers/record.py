"""A row as read, before any check, and the options that say how a file is read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from stages.columns import FLAG_PREFIX, SLICE_PREFIX
from stages.errors import DataError
from stages.messages import NAMES, examples, short
from stages.reading.dialect import Dialect
from stages.reading.label_sets import text_of_flags, text_of_list
from stages.reading.values import NotTextError, as_text, find_column

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
        format: csv, tsv, jsonl, json, excel, lines, folders, parquet, arrow or hf.
        encoding: Of the text formats, by Python's name.
        delimiter: Between the fields of csv and tsv; None: a comma, a tab.
        header: Is the first row of a csv, tsv or excel file the names of the columns?
        quoting: Is `"` a quote in csv and tsv?
        columns: Column of the file by field of a record (`text`, `label`, ...); the field of a slice column is `slice:`
            and its name, that of a column of 0 and 1 `label:` and its name; `a.b` is the field b of the column a.
        sheet: Of a workbook, by name or number; None: the first.
    """

    format: str
    encoding: str
    delimiter: str | None
    header: bool
    quoting: bool
    columns: Mapping[str, str | int]
    sheet: str | int | None = None

    @property
    def dialect(self) -> Dialect:
        """How the text of the file, or the workbook, is written."""
        return Dialect(
            self.format, self.encoding, self.delimiter, self.header, self.quoting, self.sheet, longest=LONGEST
        )

    @property
    def slice_columns(self) -> list[str]:
        """Names of the slice columns, `slice:` included."""
        return [field for field in self.columns if field.startswith(SLICE_PREFIX)]


def slice_fields(columns: Iterable[str | int]) -> dict[str, str | int]:
    """Return the columns of a file that are kept for slices, by the name of their field."""
    return {f"{SLICE_PREFIX}{column}": column for column in columns}


def flag_fields(columns: Iterable[str | int]) -> dict[str, str | int]:
    """Return the columns of 0 and 1 that are a label each, by the name of their field."""
    return {f"{FLAG_PREFIX}{column}": column for column in columns}


def is_flag(field: str) -> bool:
    """Return whether a field is that of a column of 0 and 1 that is a label."""
    return field.startswith(FLAG_PREFIX)


def params_key(field: str) -> str:
    """Return the key of params.yaml that names the column of a field."""
    key = {SLICE_PREFIX: "slices", FLAG_PREFIX: "label"}.get(f"{field.partition(':')[0]}:", field)
    return f"download.dataset.columns.{key}"


def missing_column(name: str, field: str, column: str | int, present: Sequence[str], *, hint: str = "") -> DataError:
    """Return the error for a column that a file does not have; names are in quotes, so that blanks in them show."""
    shown = examples(present, most=NAMES)
    return DataError(f"{name} has no column {short(column)}. It has: {shown}. Correct {params_key(field)}.{hint}")


def positions_of(name: str, options: ReadOptions, present: Sequence[str], *, hint: str = "") -> dict[str, int]:
    """Return the position of each column among the names of a file's columns, by field.

    Args:
        name: What messages call the file.
        options: Its columns.
        present: The names.
        hint: A sentence, after a space, that ends the message on a missing column.

    Raises:
        DataError: One is missing, or there several times; the message lists those that are present.
    """
    positions: dict[str, int] = {}
    for field, column in options.columns.items():
        position = find_column(name, present, str(column))
        if position is None:
            raise missing_column(name, field, column, present, hint=hint)
        positions[field] = position
    return positions


def typed_record(row: int, values: Mapping[str, Any]) -> Record:
    """Return the record of typed values (JSON, tables): numbers, booleans and dates become text, 3.0 becomes 3."""
    cells: dict[str, str | None] = {}
    for field, value in values.items():
        try:
            cells[field] = text_of_list(value) if field == "label" and isinstance(value, list) else as_text(value)
        except NotTextError as error:
            if not field.startswith(SLICE_PREFIX):
                return Record(row, None, problem=f"{field}: {error}")
            cells[field] = str(value)  # a list: slices only compare values
    return record_of(row, cells)


def record_of(row: int, cells: Mapping[str, str | None]) -> Record:
    """Return the record of a row's cells, by field."""
    for field, cell in cells.items():
        if cell and len(cell) > LONGEST:
            return Record(row, None, problem=f"{field}: longer than {LONGEST:,} characters")
    slices = tuple(cell for field, cell in cells.items() if field.startswith(SLICE_PREFIX))
    flags = {f.removeprefix(FLAG_PREFIX): cell for f, cell in cells.items() if is_flag(f)}
    fields = {field: cell for field, cell in cells.items() if ":" not in field} if slices or flags else dict(cells)
    if flags:
        try:
            fields["label"] = text_of_flags(flags)
        except NotTextError as error:
            return Record(row, None, problem=str(error))
    return Record(row, **fields, slices=slices)


def encodable(text: str) -> bool:
    """Return whether `text` has no lone surrogate, that is, no byte that could not be decoded."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
