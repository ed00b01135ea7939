"""Read the rows of a file or of standard input in windows of bounded size, so that memory stays constant."""

import logging
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, BinaryIO, cast

import pyarrow as pa

from pipeline.prediction.arrow import arrow_tables
from pipeline.prediction.folders import COLUMNS, FolderFiles
from pipeline.prediction.input_format import SEPARATED, InputFormat, missing_column
from pipeline.prediction.parquet import open_parquet, tables
from pipeline.prediction.records import Record, open_text, read_records, read_sheet
from pipeline.prediction.window import Window, bounded, make_window, string_column
from stages.errors import DataError, refusal
from stages.messages import short
from stages.reading.dialect import OPTIONS
from stages.reading.nested import Steps, leaves, steps_to, values_at
from stages.reading.regular_files import open_file
from stages.reading.values import alike_names, find_column, present_keys, value_at
from stages.shown import shorten

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WindowReader:
    """Reads an input window by window.

    Args:
        name: What messages call it.
        file: The open file, at its start.
        read: How it is read.
    """

    name: str
    file: BinaryIO
    read: InputFormat

    def windows(self, skip: int = 0) -> Generator[Window, None, None]:
        """Yield the windows of the rows after the first `skip` (>= 0) rows.

        Raises:
            DataError: The file is empty, has another format or encoding, or lacks the column.
        """
        readers = {
            "parquet": self._parquet,
            "arrow": self._arrow,
            "excel": self._workbook,
            "folders": self._folder,
        }
        try:
            yield from readers.get(self.read.dialect.format, self._text)(skip)
        except UnicodeError as error:
            raise DataError(
                f"{self.name} is not {self.read.dialect.encoding}: {error}. Give the file's encoding with --encoding."
            ) from error
        except OSError as error:
            raise DataError(f"{self.name} can't be read: {refusal(error, 'give another file')}") from error

    def _text(self, skip: int) -> Iterator[Window]:
        stream = open_text(self.file, name=self.name, dialect=self.read.dialect, checked=self.read.checked)
        try:
            names, records = read_records(stream, name=self.name, dialect=self.read.dialect)
            if names is not None:
                yield from self._separated(names, records, skip)
            else:
                yield from self._objects(records, skip)
        finally:
            stream.detach()  # else the file, maybe standard input, is closed when the stream is garbage-collected

    def _workbook(self, skip: int) -> Iterator[Window]:
        names, records, hint = read_sheet(self.file, name=self.name, dialect=self.read.dialect)
        yield from self._separated(names, records, skip, hint=hint)

    def _folder(self, skip: int) -> Iterator[Window]:
        yield from self._separated(COLUMNS, cast(FolderFiles, self.file).texts(self.read.dialect), skip)

    def _separated(self, names: list[str], records: Iterator[Record], skip: int, *, hint: str = "") -> Iterator[Window]:
        positions = [self._position(names, option, choices, hint) for option, choices in self._choices]
        for rows in bounded(islice(records, skip, None), empty=not skip):
            yield self._separated_window(rows, names, positions)

    def _position(self, names: list[str], option: str, choices: Sequence[str], hint: str) -> int:
        for column in choices:
            position = find_column(self.name, names, column)
            if position is not None:
                self._say(column, option, choices)
                return position
        separated = self.read.dialect.format in SEPARATED
        raise missing_column(self.name, choices[0], names, option=option, separated=separated, hint=hint)

    def _say(self, column: str, option: str, choices: Sequence[str]) -> None:
        """Say which column is read where it is not the one that was looked for first."""
        if column != choices[0]:
            log.info(
                "%s has no column %s: reading %s instead (%s).", self.name, short(choices[0]), short(column), option
            )

    def _objects(self, records: Iterator[Record], skip: int) -> Iterator[Window]:
        """The windows of JSON, where each row has its own keys."""
        columns: list[str] | None = None
        for rows in bounded(islice(records, skip, None), empty=False):
            objects, problems = [row.cells for row in rows], [row.problem for row in rows]
            if columns is None:
                columns = self._keys(objects, problems, refuse=not skip)
            values = [[value_at(row, column) for row in objects] for column in columns]
            yield replace(make_window(values, problems, objects, self._place), lines=[row.line for row in rows])
        if columns is None and not skip:
            raise DataError(f"{self.name} has no rows, or only blank lines. Give a file with rows.")

    @property
    def _place(self) -> int:
        return self.file.tell() if self.file.seekable() else 0

    def _separated_window(self, rows: list[Record], names: list[str], positions: list[int]) -> Window:
        columns = [[row.cells[index] for row in rows] for index in range(len(names))]
        data = pa.Table.from_arrays([string_column(cells) for cells in columns], names=names)
        texts = [columns[position] for position in positions]
        window = make_window(texts, [row.problem for row in rows], data, self._place)
        return replace(window, has_bytes=any(kind == pa.binary() for kind in data.schema.types))

    def _parquet(self, skip: int) -> Generator[Window, None, None]:
        file = open_parquet(self.file, self.name)
        yield from self._tables(tables(self.file, file, self.name, skip=skip), skip)

    def _arrow(self, skip: int) -> Generator[Window, None, None]:
        yield from self._tables(arrow_tables(self._arrow_files(), skip=skip), skip)

    def _arrow_files(self) -> Iterator[tuple[str, BinaryIO]]:
        if not isinstance(self.file, FolderFiles):
            yield self.name, self.file
            return
        for path in self.file.files:
            with open_file(path, str(path), OPTIONS) as file:
                yield str(path), file

    def _tables(self, tables: Iterable[pa.Table], skip: int) -> Generator[Window, None, None]:
        paths: list[Steps] = []
        position = skip
        for table in tables:
            paths = paths or [self._steps(table.schema, option, choices) for option, choices in self._choices]
            position += len(table)
            texts = [_python_values(self.name, table, steps) for steps in paths]
            yield make_window(texts, [None] * len(table), table, position)

    def _steps(self, schema: pa.Schema, option: str, choices: Sequence[str]) -> Steps:
        for column in choices:
            steps = steps_to(self.name, schema, column)
            if steps is not None:
                _check_text_type(self.name, column, schema, steps, option=option)
                self._say(column, option, choices)
                return steps
        raise missing_column(self.name, choices[0], [".".join(leaf) for leaf in leaves(schema)], option=option)

    @property
    def _choices(self) -> list[tuple[str, Sequence[str]]]:
        """Names of the column of the texts, and of that of the second texts, each behind the option that sets it."""
        pair = self.read.pair_column
        return [("--column", self.read.columns), *([] if pair is None else [("--pair-column", [pair])])]

    def _keys(self, objects: list[dict[str, Any]], problems: list[str | None], *, refuse: bool) -> list[str]:
        """Return the keys of the texts. Where only some rows lack one, the error is theirs.

        Raises:
            DataError: All rows of the first window lack it.
        """
        read = [row for row, problem in zip(objects, problems, strict=True) if problem is None]
        if not read and refuse:
            raise DataError(f"{self.name} is not JSON lines: {problems[0]}. Give the file's format with --format.")
        present = list(dict.fromkeys(key for row in read for key in present_keys(row)))
        keys: list[str] = []
        for option, choices in self._choices:
            known = [key for key in choices if key in present or alike_names(present, key)]
            if not known and refuse:
                raise missing_column(self.name, choices[0], present, option=option)
            keys.append((known or list(choices))[0])
            self._say(keys[-1], option, choices)
        return keys


def _python_values(name: str, table: pa.Table, steps: Steps) -> list[Any]:
    column = values_at(table, steps)
    try:
        values: list[Any] = column.to_pylist()
    except (pa.ArrowException, ValueError, ArithmeticError, LookupError) as error:  # a date of the year 10,000
        reason = shorten(str(error), 200)
        raise DataError(f"{name}: a value of the column {steps[-1]!r} can't be read: {reason}. Correct it.") from error
    return values


def _check_text_type(name: str, column: str, schema: pa.Schema, steps: Steps, *, option: str) -> None:
    kind = schema.field(schema.names.index(steps[0])).type
    for step in steps[1:]:
        kind = kind.field(step).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_nested(kind):
        raise DataError(f"{name}: the column {column!r} has the type {kind}, not text. Choose another with {option}.")
