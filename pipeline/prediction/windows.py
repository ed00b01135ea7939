"""Read the rows of a file or of standard input in windows of bounded size, so that memory stays constant."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa

from pipeline.prediction.parquet import open_parquet, tables
from pipeline.prediction.records import Record, open_text, read_records
from stages.errors import DataError
from stages.messages import NAMES, examples, plain
from stages.texts import WINDOW_CHARACTERS, WINDOW_ROWS

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".txt": "lines",
}


@dataclass(frozen=True)
class Window:
    """Consecutive rows.

    Args:
        texts: Their texts as read, not checked.
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


@dataclass(frozen=True)
class WindowReader:
    """Reads an input window by window.

    Args:
        name: What messages call it.
        format: csv, tsv, jsonl, parquet or lines.
        file: The open file, at its start.
        column: Column of the texts.
        pair_column: Column of the second texts, for a model of pairs.
        encoding: Of a text format; None: UTF-8.
    """

    name: str
    format: str
    file: BinaryIO
    column: str
    pair_column: str | None = None
    encoding: str | None = None

    def windows(self, skip: int = 0) -> Generator[Window, None, None]:
        """Yield the windows of the rows after the first `skip` (>= 0) rows.

        Raises:
            DataError: The file is empty, has another format or encoding, or lacks the column.
        """
        try:
            yield from self._parquet(skip) if self.format == "parquet" else self._text(skip)
        except UnicodeError as error:
            raise DataError(
                f"{self.name} is not {self.encoding}: {error}. Give the file's encoding with --encoding."
            ) from error
        except OSError as error:
            raise DataError(
                f"{self.name} can't be read: {error.strerror or error}. Give a file that can be."
            ) from error

    def _text(self, skip: int) -> Iterator[Window]:
        stream = open_text(self.file, name=self.name, kind=self.format, encoding=self.encoding)
        try:
            names, records = read_records(stream, name=self.name, kind=self.format)
            if names is not None:
                check_columns(self.name, names, self._columns)
            number = -1
            for number, rows in enumerate(_bounded(islice(records, skip, None), empty=names is not None and not skip)):
                position = self.file.tell() if self.file.seekable() else 0
                if names is not None:
                    yield self._separated_window(rows, names, position)
                else:
                    yield self._object_window(rows, position, check=number == 0 and not skip)
            if number < 0 and not skip:
                raise DataError(f"{self.name} has only blank lines. Give a file with rows.")
        finally:
            stream.detach()  # else the file, maybe standard input, is closed when the stream is garbage-collected

    def _separated_window(self, rows: list[Record], names: list[str], position: int) -> Window:
        columns = [[row.cells[index] for row in rows] for index in range(len(names))]
        texts = [columns[names.index(column)] for column in self._columns]
        data = pa.Table.from_arrays([_strings(cells) for cells in columns], names=names)
        window = self._window(texts, [row.problem for row in rows], data, position)
        return replace(window, has_bytes=any(kind == pa.binary() for kind in data.schema.types))

    def _object_window(self, rows: list[Record], position: int, *, check: bool) -> Window:
        """A window of JSON lines, where each row has its own keys."""
        objects, problems = [row.cells for row in rows], [row.problem for row in rows]
        if check:
            self._check_keys(objects, problems)
        texts = [[row.get(column) for row in objects] for column in self._columns]
        return replace(self._window(texts, problems, objects, position), lines=[row.line for row in rows])

    def _parquet(self, skip: int) -> Generator[Window, None, None]:
        file = open_parquet(self.file, self.name)
        check_columns(self.name, file.schema_arrow.names, self._columns)
        for column in self._columns:
            _check_text_type(self.name, column, file.schema_arrow.field(column).type)
        position = skip
        for table in tables(self.file, file, self.name, skip=skip):
            position += len(table)
            texts = [table.column(column).to_pylist() for column in self._columns]
            yield self._window(texts, [None] * len(table), table, position)

    def _window(
        self, texts: list[list[Any]], problems: list[str | None], data: pa.Table | list[dict[str, Any]], position: int
    ) -> Window:
        return Window(texts[0], texts[1] if len(texts) > 1 else None, problems, data, position)

    @property
    def _columns(self) -> list[str]:
        return [self.column] if self.pair_column is None else [self.column, self.pair_column]

    def _check_keys(self, objects: list[dict[str, Any]], problems: list[str | None]) -> None:
        """Raise where all rows lack the key of the texts; where only some lack it, the error is theirs."""
        read = [row for row, problem in zip(objects, problems, strict=True) if problem is None]
        if not read:
            raise DataError(f"{self.name} is not JSON lines: {problems[0]}. Give the file's format with --format.")
        check_columns(self.name, list(dict.fromkeys(key for row in read for key in row)), self._columns)


def check_columns(name: str, names: list[str], wanted: Iterable[str]) -> None:
    """Check that a file has each of the columns once.

    Raises:
        DataError: It lacks one, or has one twice.
    """
    for column in wanted:
        if column not in names:
            raise DataError(
                f"{name} has no column {column!r}. It has: {examples(names, most=NAMES, show=plain)}. Choose one with "
                "--column."
            )
        if names.count(column) > 1:
            raise DataError(f"{name} has {names.count(column)} columns {column!r}. Give each column a name of its own.")


def _bounded(records: Iterable[Record], *, empty: bool) -> Iterator[list[Record]]:
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


def _strings(cells: list[str]) -> pa.Array:
    """A column of strings; or of bytes where some could not be decoded, because Arrow can't hold lone surrogates."""
    try:
        return pa.array(cells, pa.string())
    except UnicodeEncodeError:
        return pa.array([cell.encode("utf-8", "surrogateescape") for cell in cells], pa.binary())


def _check_text_type(name: str, column: str, kind: pa.DataType) -> None:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    if not any(test(kind) for test in tests):
        raise DataError(f"{name}: the column {column!r} has the type {kind}, not text. Choose another with --column.")
