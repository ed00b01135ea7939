"""Read a Parquet file as tables of bounded size: neither rows nor sizes that it states are believed."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.prediction.records import LONGEST
from stages.errors import DataError
from stages.parquet_rows import BUFFER, bytes_per_row, column_chunks, has_dictionary
from stages.shown import shorten
from stages.texts import WINDOW_ROWS

BATCH_BYTES = 32_000_000  # of rows that are read at once, unless one row is larger
FIXED = 8  # bytes of a number
STORED_APART = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}  # Arrow can't cast a dictionary to these


def open_parquet(opened: BinaryIO, name: str) -> pq.ParquetFile:
    """Open a Parquet file whose texts that stand in dictionaries stay there.

    Raises:
        DataError: It is not Parquet, or has a row that can't be read.
    """
    options = {"pre_buffer": False, "buffer_size": BUFFER}
    try:
        file = pq.ParquetFile(opened, **options)
        groups = [column_chunks(opened, file, group) for group in range(file.metadata.num_row_groups)]
        coded = _coded(file, list(chain.from_iterable(groups)))
        return pq.ParquetFile(opened, metadata=file.metadata, read_dictionary=coded, **options)
    except (pa.ArrowException, OSError, UnicodeDecodeError, LookupError) as error:  # the last: two names of a column
        raise DataError(
            f"{name} can't be read as Parquet: {shorten(str(error), 200)}. Give the file's format with --format."
        ) from error


def _coded(file: pq.ParquetFile, chunks: Sequence[pq.ColumnChunkMetaData]) -> list[str]:
    """Return the paths of the columns whose texts stand in dictionaries, in any row group."""
    views = {f.name for f in file.schema_arrow if "_view" in str(f.type) and f.type not in STORED_APART}
    paths = {chunk.path_in_schema for chunk in chunks if has_dictionary(chunk)}
    return sorted(path for path in paths if path.partition(".")[0] not in views)


def tables(opened: BinaryIO, file: pq.ParquetFile, name: str, *, skip: int) -> Iterator[pa.Table]:
    """Yield the rows after the first `skip` (>= 0) in tables of bounded size; one without rows where there are none.

    Args:
        opened: The file on disk.
        file: From `open_parquet`.
        name: What messages call it.
        skip: Rows to leave out; its tables end where those of a reading from the start do.

    Raises:
        DataError: The file is damaged, or has a row of more than LONGEST bytes.
    """
    yield from bounded(_batches(opened, file, name), file.metadata.schema.to_arrow_schema(), name, skip=skip)


def bounded(batches: Iterator[pa.RecordBatch], schema: pa.Schema, name: str, *, skip: int) -> Iterator[pa.Table]:
    """Yield the rows of batches after the first `skip` rows in tables of bounded size, as `tables` does.

    Args:
        batches: Each checked; its texts may stand in dictionaries.
        schema: Of the tables.
        name: What messages call the file.
        skip: Rows to leave out.

    Raises:
        DataError: A row has more than LONGEST bytes.
    """
    schema = pa.schema([f.with_type(STORED_APART.get(f.type, f.type)) for f in schema], schema.metadata)
    plain = pa.schema([f.with_type(f.type.value_type if pa.types.is_dictionary(f.type) else f.type) for f in schema])
    parts: list[pa.Table] = []  # without dictionaries, of which each would have its own
    rows = size = end = 0
    for batch in batches:
        start, end = max(0, skip - end), end + len(batch)
        for row, row_size in enumerate(_row_sizes(batch)[start:].tolist(), start):
            if row_size > LONGEST:
                raise DataError(
                    f"{name} row {end - len(batch) + row + 1} has more than {LONGEST:,} bytes. Split it, or leave it "
                    "out."
                )
            if rows and (rows >= WINDOW_ROWS or size + row_size > LONGEST):
                yield _cast(pa.concat_tables([*parts, _cast(batch.slice(start, row - start), plain)]), schema)
                parts, start, rows, size = [], row, 0, 0
            rows, size = rows + 1, size + row_size
        parts.append(_cast(batch.slice(start), plain))
    if rows or not end:
        yield _cast(pa.concat_tables(parts), schema) if parts else schema.empty_table()


def _cast(table: pa.Table | pa.RecordBatch, schema: pa.Schema) -> pa.Table:
    columns = zip(table.columns, schema.types, strict=True)
    return pa.table([column if column.type == kind else column.cast(kind) for column, kind in columns], schema=schema)


def _batches(opened: BinaryIO, file: pq.ParquetFile, name: str) -> Iterator[pa.RecordBatch]:
    """Yield the rows in batches, each checked before a value is taken from it."""
    end = 0
    try:
        for group in range(file.metadata.num_row_groups):
            metadata = file.metadata.row_group(group)
            size = bytes_per_row(column_chunks(opened, file, group), metadata.num_rows)
            rows = max(1, min(WINDOW_ROWS, BATCH_BYTES // max(1, size)))
            for batch in file.iter_batches(batch_size=rows, row_groups=[group]):
                batch.validate(full=True)  # offsets within their buffers, strings of UTF-8
                end += len(batch)
                yield batch
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"{name} is damaged: {shorten(str(error), 200)} (after row {end:,}). Write the file again."
        ) from error


def _row_sizes(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """Return how many bytes each row has when its values are written out, about; shape (rows,)."""
    total = np.zeros(len(batch), dtype=np.int64)
    for column in batch.columns:
        total += _sizes(column)
    return total


def _sizes(array: pa.Array) -> NDArray[np.int64]:
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return _sizes(array.storage)
    if isinstance(array, pa.DictionaryArray):
        sizes = np.append(_sizes(array.dictionary), FIXED)  # the last: null
        indices: NDArray[np.int64] = array.indices.cast(pa.int64()).fill_null(len(array.dictionary)).to_numpy()
        return sizes[indices]
    if kind in STORED_APART:
        return _sizes(array.cast(STORED_APART[kind]))
    if any(
        test(kind)
        for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    ):
        return _numbers(pc.binary_length(array)) + FIXED
    if isinstance(array, pa.StructArray):
        return sum((_sizes(field) for field in array.flatten()), np.full(len(array), FIXED, dtype=np.int64))
    if isinstance(array, pa.MapArray):
        pairs = pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
        return _list_sizes(pa.ListArray.from_arrays(array.offsets, pairs))
    if hasattr(kind, "value_type"):  # a list of any kind
        return _list_sizes(array)
    return np.full(len(array), FIXED, dtype=np.int64)


def _list_sizes(array: pa.Array) -> NDArray[np.int64]:
    lengths, values = _numbers(pc.list_value_length(array)), array.flatten()
    if (values.type.num_fields == 0 and pa.types.is_primitive(values.type)) or pa.types.is_null(values.type):
        return lengths * FIXED + FIXED  # without a number per value
    ends = np.cumsum(lengths)
    sums = np.concatenate([[0], np.cumsum(_sizes(values))])
    sizes: NDArray[np.int64] = sums[ends] - sums[ends - lengths] + FIXED
    return sizes


def _numbers(array: pa.Array) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = array.cast(pa.int64()).fill_null(0).to_numpy()
    return numbers
