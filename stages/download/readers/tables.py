"""Read the rows of tables whose columns have types: Parquet, Arrow, and data sets of the Hub."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stages.download.readers.columns import ROWS, rows_at_once, rows_of
from stages.download.readers.record import ReadOptions, Record, missing_column, typed_record
from stages.errors import DataError
from stages.parquet_rows import BUFFER, bytes_per_row, column_chunks, has_dictionary
from stages.reading.nested import Steps, leaves, steps_to, values_at
from stages.reading.regular_files import open_file

MOST_ROWS = 100_000_000  # of a table; a header of some bytes can claim any number


def read_parquet(path: Path, *, name: str, options: ReadOptions) -> Iterator[Record]:
    """Read the rows of a Parquet file in their order, a batch at a time.

    Args:
        path: The file on disk.
        name: What messages call it.
        options: Its columns.

    Raises:
        DataError: It can't be read as Parquet, or lacks a column.
    """
    with open_file(path, name) as opened, _damage_named(name, "Parquet"):
        file = pq.ParquetFile(opened, buffer_size=BUFFER, page_checksum_verification=True)
        promised = file.metadata.num_rows
        _check_rows(promised, name)
        paths = _paths(name, options, file.schema_arrow)
        rows = 0
        for record in _records(_parquet_batches(opened, file, paths), paths, name):
            rows = record.row
            yield record
        if rows != promised:
            raise pa.ArrowInvalid(f"its header says {promised:,} rows, but it has {rows:,}")


def read_arrow(
    path: Path, *, name: str, options: ReadOptions, classes: Mapping[str, Sequence[str]] | None = None
) -> Iterator[Record]:
    """Read the rows of an Arrow IPC file or stream, as `datasets` and Feather write them, in their order.

    Args:
        path: The file on disk.
        name: What messages call it.
        options: Its columns.
        classes: Class names of the columns that hold class indices.

    Raises:
        DataError: It can't be read as Arrow, or lacks a column.
    """
    # not memory-mapped: where a file gets shorter while it is mapped, the system kills the process
    with open_file(path, name) as opened, _damage_named(name, "Arrow"):
        is_file = opened.read(6) == b"ARROW1"
        opened.seek(0)
        reader = pa.ipc.open_file(opened) if is_file else pa.ipc.open_stream(opened)
        paths = _paths(name, options, reader.schema)
        batches = map(reader.get_batch, range(reader.num_record_batches)) if is_file else iter(reader)
        yield from _records(batches, paths, name, classes)


def read_hub_split(split: Any, *, name: str, options: ReadOptions) -> Iterator[Record]:
    """Read the rows of one split of a data set of the Hub; class indices become class names.

    Args:
        split: A `datasets.Dataset`.
        name: What messages call it.
        options: Its columns.

    Raises:
        DataError: It lacks a column.
    """
    paths = _paths(name, options, split.features.arrow_schema)
    columns = list(dict.fromkeys(steps[0] for steps in paths.values()))
    features = {column: split.features[column] for column in columns}
    features = {column: getattr(feature, "feature", feature) for column, feature in features.items()}  # of a list
    classes = {column: feature.names for column, feature in features.items() if hasattr(feature, "names")}
    tables = split.select_columns(columns).with_format("arrow").iter(ROWS)
    with _damage_named(name, "Arrow"):
        yield from _records((batch for table in tables for batch in table.to_batches()), paths, name, classes)


def within_limit(records: Iterator[Record], limit: int, name: str) -> Iterator[Record]:
    """Yield the records of a table; a table is compressed inside, so a small file can hold any number of characters.

    Raises:
        DataError: Their texts have more than `limit` characters.
    """
    characters = 0
    for record in records:
        characters += len(record.text or "") + len(record.text_pair or "")
        if characters > limit:
            raise DataError(
                f"{name} has texts of more than {limit / 1e6:g} MB. If that is right, raise machine.unpack_limit_mb."
            )
        yield record


@contextlib.contextmanager
def _damage_named(name: str, kind: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError) as error:  # the last two: the name of a column
        problem = " ".join(str(error).split())
        raise DataError(
            f"{name} can't be read as {kind}: {problem}. Fetch it again, or correct download.dataset.format."
        ) from error
    except MemoryError as error:  # of a part whose size the file states
        raise DataError(
            f"{name} can't be read as {kind}: a part of it claims more bytes than fit in memory. Fetch it again, or "
            "write it in smaller parts."
        ) from error


def _paths(name: str, options: ReadOptions, schema: pa.Schema) -> dict[str, Steps]:
    """Return what leads to the values of each field of a record: a column, or a field of the structs in one.

    Raises:
        DataError: A column is missing, or there several times.
    """
    paths: dict[str, Steps] = {}
    for field, column in options.columns.items():
        steps = steps_to(name, schema, str(column))
        if steps is None:
            raise missing_column(name, field, column, [".".join(leaf) for leaf in leaves(schema)])
        paths[field] = steps
    return paths


def _parquet_batches(opened: BinaryIO, file: pq.ParquetFile, paths: Mapping[str, Steps]) -> Iterator[pa.RecordBatch]:
    columns = list(dict.fromkeys(map(".".join, paths.values())))
    for group in range(file.num_row_groups):
        rows = rows_at_once(_bytes_per_row(opened, file, group, columns))
        yield from file.iter_batches(batch_size=rows, row_groups=[group], columns=columns)


def _bytes_per_row(opened: BinaryIO, file: pq.ParquetFile, group: int, columns: list[str]) -> int:
    """Return how large a row of a row group may be, with its longest text that is stored once."""
    chunks = column_chunks(opened, file, group, columns)
    try:
        largest = bytes_per_row(chunks, file.metadata.row_group(group).num_rows)
    except ValueError as error:
        raise pa.ArrowInvalid(str(error)) from error
    names = [chunk.path_in_schema for chunk in chunks if has_dictionary(chunk)]
    return max(largest, _longest_value(opened, file, group, names) if names else 0)


def _longest_value(opened: BinaryIO, file: pq.ParquetFile, group: int, columns: list[str]) -> int:
    """Return the bytes of the longest value in the dictionaries of some columns."""
    coded = pq.ParquetFile(opened, metadata=file.metadata, buffer_size=BUFFER, read_dictionary=columns)
    batch = next(coded.iter_batches(batch_size=1, row_groups=[group], columns=columns), None)
    arrays = [] if batch is None else list(_dictionaries(batch.columns))
    longest: list[int] = [pc.max(pc.binary_length(array.dictionary)).as_py() or 0 for array in arrays]
    return max(longest, default=0)


def _dictionaries(arrays: Iterable[pa.Array]) -> Iterator[pa.DictionaryArray]:
    """Yield the arrays with a dictionary, those in structs included."""
    for array in arrays:
        if isinstance(array, pa.DictionaryArray):
            yield array
        elif isinstance(array, pa.StructArray):
            yield from _dictionaries(array.flatten())


def _check_rows(rows: int, name: str) -> None:
    if rows > MOST_ROWS:
        raise DataError(f"{name} has {rows:,} rows or more, and at most {MOST_ROWS:,} can be read. Give fewer rows.")


def _records(
    batches: Iterator[pa.RecordBatch],
    paths: Mapping[str, Steps],
    name: str,
    classes: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[Record]:
    names_of = {field: classes[steps[0]] for field, steps in paths.items() if classes and steps[0] in classes}
    row = total = 0
    for batch in batches:
        total += len(batch)
        _check_rows(total, name)
        batch.validate()
        flat = pa.RecordBatch.from_arrays([values_at(batch, steps) for steps in paths.values()], names=list(paths))
        for cells in rows_of(flat, list(paths)):
            row += 1
            yield _record(row, dict(zip(paths, cells, strict=True)), names_of)


def _record(row: int, values: dict[str, Any], names_of: Mapping[str, Sequence[str]]) -> Record:
    for field, names in names_of.items():
        indices = values[field] if isinstance(values[field], list) else [values[field]]
        if unknown := [index for index in indices if index is not None and index >= len(names)]:
            return Record(row, None, problem=f"{field}: {unknown[0]} is not a class of the data set")
        named = [None if index is None or index < 0 else names[index] for index in indices]  # -1 means: no label
        values[field] = named if isinstance(values[field], list) else named[0]
    return typed_record(row, values)
