"""A window of consecutive rows: how many belong to one, and how their values become texts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.prediction.records import Record
from stages.reading.values import NotTextError, as_text
from stages.texts import WINDOW_CHARACTERS, WINDOW_ROWS


@dataclass(frozen=True)
class Window:
    """Consecutive rows.

    Args:
        texts: Their texts, not checked; None: the row has none.
        text_pairs: Their second texts; None: no column of second texts was given.
        problems: Why a row's form can't be read; None: it can.
        data: The rows with all their columns: a table, or a list of mappings (JSON lines).
        position: How far the input is read: bytes, or rows of Parquet.
        has_bytes: Are there columns of bytes, because some of their cells are not UTF-8?
        lines: The rows of JSON lines as they were written; None for a row that is no object.
    """

    texts: list[Any]
    text_pairs: list[Any] | None
    problems: list[str | None]
    data: pa.Table | list[dict[str, Any]]
    position: int
    has_bytes: bool = False
    lines: list[str | None] | None = None

    def __len__(self) -> int:
        return len(self.texts)


def make_window(
    values: list[list[Any]], problems: list[str | None], data: pa.Table | list[dict[str, Any]], position: int
) -> Window:
    """Return a window whose values are texts; a value that has no text form is a problem of its row.

    Args:
        values: The values of the texts, and of the second texts where there are any.
        problems: Why a row's form can't be read; None: it can.
        data: The rows with all their columns.
        position: How far the input is read.
    """
    problems = list(problems)
    columns = [_texts(column, problems, prefix) for column, prefix in zip(values, ("", "second text: "), strict=False)]
    return Window(columns[0], columns[1] if len(columns) > 1 else None, problems, data, position)


def bounded(records: Iterable[Record], *, empty: bool) -> Iterator[list[Record]]:
    """Yield windows of the records; where there are none, one empty window if `empty`, so that the header is kept."""
    window: list[Record] = []
    characters = 0
    for record in records:
        if window and (len(window) >= WINDOW_ROWS or characters + record.size > WINDOW_CHARACTERS):
            yield window
            window, characters = [], 0
        window.append(record)
        characters += record.size
        empty = False
    if window or empty:
        yield window


def string_column(cells: list[str | None]) -> pa.Array:
    """A column of strings; or of bytes where some could not be decoded, because Arrow can't hold lone surrogates."""
    try:
        return pa.array(cells, pa.string())
    except UnicodeEncodeError:
        return pa.array(
            [None if cell is None else cell.encode("utf-8", "surrogateescape") for cell in cells], pa.binary()
        )


def _texts(values: list[Any], problems: list[str | None], prefix: str) -> list[str | None]:
    """Return values as texts; note in `problems` of which rows that is impossible."""
    texts: list[str | None] = []
    for row, value in enumerate(values):
        try:
            texts.append(as_text(value))
        except NotTextError as error:
            texts.append(None)
            problems[row] = problems[row] or f"{prefix}{error}"
    return texts
