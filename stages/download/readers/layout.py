"""What a row is before anything is checked, and which columns of a file its fields come from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from stages.columns import KEPT
from stages.errors import DataError


class Record(NamedTuple):
    """One row as read: nothing checked yet but that its form can be read."""

    row: int  # line it starts at (text formats) or its number (tables, folders), from 1
    text: str | None
    text_pair: str | None = None
    label: str | None = None
    id: str | None = None
    group: str | None = None
    problem: str | None = None  # why the row's form can't be read, where it can't
    kept: tuple[str | None, ...] = ()  # further columns, in the order of `Layout.kept`


@dataclass(frozen=True)
class Layout:
    """How a file is to be read.

    Args:
        format: csv, tsv, jsonl, lines, folders, parquet, arrow or hf.
        encoding: Of the text formats, by Python's name.
        delimiter: Between the fields of csv and tsv; None: a comma, a tab.
        header: Does a csv or tsv file start with the columns' names?
        quoting: Is `"` a quote in csv and tsv?
        columns: Column of each field of a record (`text`, `label`, ...) that there is; of a further one that is kept
            the field is `slice:` with its name.
    """

    format: str
    encoding: str
    delimiter: str | None
    header: bool
    quoting: bool
    columns: Mapping[str, str | int]

    @property
    def kept(self) -> list[str]:
        """The fields of the further columns."""
        return [field for field in self.columns if field.startswith(KEPT)]


def kept_columns(columns: Iterable[str | int]) -> dict[str, str | int]:
    """Return columns that are to be kept by their field's name."""
    return {f"{KEPT}{column}": column for column in columns}


def missing_column(name: str, field: str, column: str | int, present: Iterable[str]) -> DataError:
    """The error for a column that the file does not have."""
    return DataError(f"{name} has no column {column!r} ({key_of(field)}). It has: {', '.join(present) or 'none'}.")


def key_of(field: str) -> str:
    """Where in params.yaml a field's column is named."""
    return f"download.dataset.columns.{'slices' if field.startswith(KEPT) else field}"


def require_columns(name: str, layout: Layout, present: Iterable[str]) -> None:
    """Check that the columns are there.

    Raises:
        DataError: One is not; the message lists those present.
    """
    present = list(present)
    for field, column in layout.columns.items():
        if str(column) not in present:
            raise missing_column(name, field, column, present)


def typed_record(row: int, values: Mapping[str, Any]) -> Record:
    """A record of typed values (JSON, tables): numbers and truth values become text, 3.0 becomes 3."""
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
        elif field.startswith(KEPT):
            cells[field] = str(value)  # a date, a list: only told apart, never read
        else:
            return Record(row, None, problem=f"its {field} is a {type(value).__name__}, not text")
    return as_record(row, cells)


def as_record(row: int, cells: Mapping[str, str | None]) -> Record:
    """Put together a row's fields and the columns that are kept."""
    kept = tuple(cell for field, cell in cells.items() if field.startswith(KEPT))
    own = {field: cell for field, cell in cells.items() if not field.startswith(KEPT)} if kept else cells
    return Record(row, **own, kept=kept)


def encodable(text: str) -> bool:
    """Is there no lone surrogate in it, that is, no byte that could not be decoded?"""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
