"""Read the rows of tables whose columns have types: Parquet, Arrow, and data sets of the Hub."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stages.download.readers.record import ReadOptions, Record, require_columns, typed_record
from stages.errors import DataError

BATCH = 10_000  # rows


def read_parquet(path: Path, *, name: str, options: ReadOptions) -> Iterator[Record]:
    """Read the rows of a Parquet file in their order, a batch at a time.

    Args:
        path: The file on disk.
        name: What messages call it.
        options: Its columns.

    Raises:
        DataError: It can't be read as Parquet, or lacks a column.
    """
    try:
        file = pq.ParquetFile(path)
        require_columns(name, options, file.schema_arrow.names)
        columns = [str(column) for column in options.columns.values()]
        yield from _records(file.iter_batches(batch_size=BATCH, columns=columns), options)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{name} can't be read as Parquet: {error}. Fetch it again, or correct download.dataset.format."
        ) from error


def read_arrow(path: Path, *, name: str, options: ReadOptions) -> Iterator[Record]:
    """Read the rows of an Arrow IPC file or stream, as `datasets` and Feather write them, in their order.

    Args:
        path: The file on disk.
        name: What messages call it.
        options: Its columns.

    Raises:
        DataError: It can't be read as Arrow, or lacks a column.
    """
    try:
        with pa.memory_map(str(path)) as file:
            start: bytes = file.read(6)
            file.seek(0)
            if start == b"ARROW1":
                reader = pa.ipc.open_file(file)
                batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
            else:
                reader = pa.ipc.open_stream(file)
                batches = iter(reader)
            require_columns(name, options, reader.schema.names)
            yield from _records(batches, options)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{name} can't be read as Arrow: {error}. Fetch it again, or correct download.dataset.format."
        ) from error


def read_hub_split(split: Any, *, name: str, options: ReadOptions) -> Iterator[Record]:
    """Read the rows of one split of a data set of the Hub; class indices become class names.

    Args:
        split: A `datasets.Dataset`.
        name: What messages call it.
        options: Its columns.

    Raises:
        DataError: It lacks a column.
    """
    require_columns(name, options, split.column_names)
    names: dict[str, Callable[[int], str]] = {
        field: split.features[str(column)].int2str
        for field, column in options.columns.items()
        if hasattr(split.features[str(column)], "int2str")
    }
    columns = [str(column) for column in options.columns.values()]
    tables = split.select_columns(columns).with_format("arrow").iter(BATCH)
    yield from _records((batch for table in tables for batch in table.to_batches()), options, names)


def _records(
    batches: Iterator[pa.RecordBatch], options: ReadOptions, names: dict[str, Callable[[int], str]] | None = None
) -> Iterator[Record]:
    row, names = 0, names or {}
    for batch in batches:
        values = [
            batch.column(batch.schema.names.index(str(column))).to_pylist() for column in options.columns.values()
        ]
        for cells in zip(*values, strict=True):
            row += 1
            record = dict(zip(options.columns, cells, strict=True))
            for field, name_of in names.items():
                value = record[field]
                record[field] = None if value is None or value < 0 else name_of(value)  # -1 means: no label
            yield typed_record(row, record)
