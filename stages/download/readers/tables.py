"""Read tables that know their columns' types: Parquet, Arrow, and data sets of the Hub."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stages.download.readers.layout import Layout, Record, require_columns, typed_record
from stages.errors import DataError

BATCH = 10_000  # rows


def read_parquet(path: Path, *, name: str, layout: Layout) -> Iterator[Record]:
    """Read the rows of a Parquet file in their order, a batch at a time.

    Args:
        path: The file on disk.
        name: What the messages call it.
        layout: Its columns.

    Raises:
        DataError: It is not a readable Parquet file, or lacks a column.
    """
    try:
        file = pq.ParquetFile(path)
        require_columns(name, layout, file.schema_arrow.names)
        columns = [str(column) for column in layout.columns.values()]
        yield from _records(file.iter_batches(batch_size=BATCH, columns=columns), layout)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name} is not a readable Parquet file: {error}. Fetch it anew, or mend `format`.") from error


def read_arrow(path: Path, *, name: str, layout: Layout) -> Iterator[Record]:
    """Read the rows of an Arrow IPC file or stream, as `datasets` and Feather write them, in their order.

    Args:
        path: The file on disk.
        name: What the messages call it.
        layout: Its columns.

    Raises:
        DataError: It is not a readable Arrow file, or lacks a column.
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
            require_columns(name, layout, reader.schema.names)
            yield from _records(batches, layout)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name} is not a readable Arrow file: {error}. Fetch it anew, or mend `format`.") from error


def read_hub_split(split: Any, *, name: str, layout: Layout) -> Iterator[Record]:
    """Read the rows of one split of a data set of the Hub; classes come by their names.

    Args:
        split: A `datasets.Dataset`.
        name: What the messages call it.
        layout: Its columns.

    Raises:
        DataError: It lacks a column.
    """
    require_columns(name, layout, split.column_names)
    names: dict[str, Callable[[int], str]] = {
        field: split.features[str(column)].int2str
        for field, column in layout.columns.items()
        if hasattr(split.features[str(column)], "int2str")
    }
    columns = [str(column) for column in layout.columns.values()]
    tables = split.select_columns(columns).with_format("arrow").iter(BATCH)
    yield from _records((batch for table in tables for batch in table.to_batches()), layout, names)


def _records(
    batches: Iterator[pa.RecordBatch], layout: Layout, names: dict[str, Callable[[int], str]] | None = None
) -> Iterator[Record]:
    row, names = 0, names or {}
    for batch in batches:
        values = [batch.column(batch.schema.names.index(str(column))).to_pylist() for column in layout.columns.values()]
        for cells in zip(*values, strict=True):
            row += 1
            record = dict(zip(layout.columns, cells, strict=True))
            for field, name_of in names.items():
                value = record[field]
                record[field] = None if value is None or value < 0 else name_of(value)  # -1: the Hub's "not labelled"
            yield typed_record(row, record)
