"""How large the rows of a Parquet file may become when they are read: a small file can hold any number of bytes."""

from collections.abc import Sequence
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

BUFFER = 1 << 20  # bytes of a column read at once; without it, a column is read in one piece
WHOLE = {"PLAIN", "RLE", "BIT_PACKED", "PLAIN_DICTIONARY", "RLE_DICTIONARY"}  # encodings that store each value whole
LONGEST = 10_000_000  # bytes of a value that may stand in a column that compresses well
COMPRESSES_WELL = 20  # bytes of values per byte of the file; texts of people reach about 10
NESTED_VALUE = 16  # bytes of a value in a list: its levels and itself
MOST_EMPTY_VALUES = 1_000_000_000  # of lists in a row group, where each takes less than a bit


def column_chunks(
    opened: BinaryIO, file: pq.ParquetFile, group: int, columns: Sequence[str] | None = None
) -> list[pq.ColumnChunkMetaData]:
    """Return the chunks of a row group that hold some columns, and what is nested in them; None: of all columns.

    A row is read before, with its texts left in their dictionaries: pyarrow ends the process where it is asked for the
    chunk of a damaged file, and raises an error where it reads one.

    Args:
        opened: The file on disk.
        file: The same file.
        group: Number of the row group.
        columns: Names of the columns.

    Raises:
        pyarrow.ArrowException, OSError, LookupError: The file is damaged.
    """
    _read_a_row(opened, file, group)
    metadata = file.metadata.row_group(group)
    chunks = [metadata.column(number) for number in range(metadata.num_columns)]
    if columns is None:
        return chunks
    starts = tuple(f"{name}." for name in columns)
    return [chunk for chunk in chunks if f"{chunk.path_in_schema}.".startswith(starts)]


def _read_a_row(opened: BinaryIO, file: pq.ParquetFile, group: int) -> None:
    leaves = [file.schema.column(number) for number in range(len(file.schema))]
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    coded = pq.ParquetFile(opened, metadata=file.metadata, buffer_size=BUFFER, read_dictionary=texts)
    try:
        next(coded.iter_batches(batch_size=1, row_groups=[group]), None)
        return
    except (pa.ArrowNotImplementedError, OSError):  # texts that are stored as differences can't be read so
        pass
    plain = pq.ParquetFile(opened, metadata=file.metadata, buffer_size=BUFFER)
    for name in file.schema_arrow.names:
        try:
            next(coded.iter_batches(batch_size=1, row_groups=[group], columns=[name]), None)
        except (pa.ArrowNotImplementedError, OSError):
            next(plain.iter_batches(batch_size=1, row_groups=[group], columns=[name]), None)


def has_dictionary(chunk: pq.ColumnChunkMetaData) -> bool:
    """Return whether texts of a chunk stand in a dictionary, where one that is stored once can be in every row."""
    return chunk.physical_type == "BYTE_ARRAY" and chunk.has_dictionary_page and set(chunk.encodings) <= WHOLE


def bytes_per_row(chunks: Sequence[pq.ColumnChunkMetaData], rows: int) -> int:
    """Return how large a row of a row group may be, if texts in dictionaries are not written out.

    That is the average, or what a single row can have of a column: all values where each takes less than a bit of the
    file, as empty lists do, and a long text where the texts compress well.

    Args:
        chunks: The columns that are read, from `column_chunks`.
        rows: Of the row group.

    Raises:
        ValueError: A column has so many empty values that no row of it can be read.
    """
    average: int = sum(chunk.total_uncompressed_size for chunk in chunks) // max(1, rows)
    return max([average, *(_largest_row(chunk, rows) for chunk in chunks)])


def _largest_row(chunk: pq.ColumnChunkMetaData, rows: int) -> int:
    stored, size = int(chunk.total_compressed_size), int(chunk.total_uncompressed_size)
    if chunk.num_values > rows and chunk.num_values > 8 * stored:
        if chunk.num_values > MOST_EMPTY_VALUES:
            raise ValueError(f"{chunk.path_in_schema} has {chunk.num_values:,} values in {stored:,} bytes")
        return int(chunk.num_values) * NESTED_VALUE
    if chunk.physical_type != "BYTE_ARRAY":
        return 0
    if not set(chunk.encodings) <= WHOLE:  # as the difference to the value before
        return size
    return min(size, LONGEST) if size > COMPRESSES_WELL * stored else 0
