"""A window of consecutive rows: how many belong to one, and how their values become texts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from pipeline.prediction.records import Record
from stages.errors import DataError
from stages.reading.values import NotTextError, as_text
from stages.texts import WINDOW_CHARACTERS, WINDOW_ROWS, text_problem


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

    @property
    def names(self) -> set[str]:
        """Names of its columns, or of the keys that its rows have."""
        return (
            set(self.data.column_names)
            if isinstance(self.data, pa.Table)
            else {key for row in self.data for key in row}
        )


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


def window_problems(window: Window) -> list[str | None]:
    """Return why each row can't be used, by its form or its text; None: it can."""
    problems = list(window.problems)
    for column, name in ((window.texts, ""), (window.text_pairs or [], "second text: ")):
        for row, text in enumerate(column):
            problem = problems[row] is None and text_problem(text)
            if problem:
                problems[row] = name + problem
    return problems


def check_names(name: str, window: Window, names: Sequence[str]) -> None:
    """Check that a window has none of the columns that are added.

    Args:
        name: What messages call the input.
        window: Of its rows.
        names: Of the added columns.

    Raises:
        DataError: It has one.
    """
    present = window.names
    clash = next((column for column in names if column in present), None)
    if clash:
        raise DataError(f"{name} already has a column {clash!r}. Give the added columns a prefix: --prefix model_")


def choose_rows(window: Window, rows: Sequence[int]) -> Window:
    """Return a window of some rows of a window, in the order of `rows`; it holds no memory of the others."""
    return replace(
        window,
        texts=[window.texts[row] for row in rows],
        text_pairs=None if window.text_pairs is None else [window.text_pairs[row] for row in rows],
        problems=[window.problems[row] for row in rows],
        data=window.data.take(pa.array(rows, pa.int64()))
        if isinstance(window.data, pa.Table)
        else [window.data[row] for row in rows],
        lines=None if window.lines is None else [window.lines[row] for row in rows],
    )


def join_windows(windows: Sequence[Window]) -> Window:
    """Return windows of one input, at least one, as one window."""
    first, last = windows[0], windows[-1]
    has_bytes = any(window.has_bytes for window in windows)
    tables = [window.data for window in windows if isinstance(window.data, pa.Table)]
    if has_bytes:  # in some windows a column is of strings, in others of bytes
        schema = pa.schema([(name, pa.binary()) for name in tables[0].column_names])
        tables = [table.cast(schema) for table in tables]
    return Window(
        texts=[text for window in windows for text in window.texts],
        text_pairs=None if first.text_pairs is None else [t for window in windows for t in window.text_pairs or []],
        problems=[problem for window in windows for problem in window.problems],
        data=pa.concat_tables(tables) if tables else [row for window in windows for row in window.data],
        position=last.position,
        has_bytes=has_bytes,
        lines=None if first.lines is None else [line for window in windows for line in window.lines or []],
    )


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
