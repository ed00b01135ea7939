"""Read Arrow files and streams, as `datasets` and Feather write them, as tables of bounded size."""

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from pipeline.prediction.parquet import bounded
from stages.errors import DataError
from stages.shown import shorten
from stages.texts import WINDOW_ROWS

MAGIC = b"ARROW1"  # of a file; a stream has none
DAMAGE = (pa.ArrowException, OSError, UnicodeDecodeError, LookupError, MemoryError)  # the last: a size that it states


def arrow_tables(files: Iterator[tuple[str, BinaryIO]], *, skip: int) -> Iterator[pa.Table]:
    """Yield the rows of Arrow files with the same columns after the first `skip` (>= 0) rows in bounded tables.

    Args:
        files: What messages call each, and the file, which is open until the next one is asked for.
        skip: Rows to leave out.

    Raises:
        DataError: A file is no Arrow, is damaged, has other columns than the first, or a row that is too large.
    """
    name, file = next(files)
    try:
        schema, batches = _open(file)
    except DAMAGE as error:
        raise _damaged(name, error) from error
    yield from bounded(_all_batches(name, schema, batches, files), schema, name, skip=skip)


def _all_batches(
    name: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch], files: Iterator[tuple[str, BinaryIO]]
) -> Iterator[pa.RecordBatch]:
    try:
        yield from _checked(batches)
        for name, file in files:  # for the message
            other, batches = _open(file)
            if not other.equals(schema):
                raise DataError(
                    f"{name} has different columns from the file before it. Predict it separately: --file FILE."
                )
            yield from _checked(batches)
    except DAMAGE as error:
        raise _damaged(name, error) from error


def _open(file: BinaryIO) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    is_file = file.read(len(MAGIC)) == MAGIC
    file.seek(0)
    reader = pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)
    batches = map(reader.get_batch, range(reader.num_record_batches)) if is_file else iter(reader)
    return reader.schema, batches


def _checked(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        batch.validate(full=True)  # offsets within their buffers, strings of UTF-8
        for start in range(0, len(batch), WINDOW_ROWS):
            yield batch.slice(start, WINDOW_ROWS)


def _damaged(name: str, error: Exception) -> DataError:
    reason = shorten(" ".join(str(error).split()) or type(error).__name__, 200)
    return DataError(f"{name} can't be read as Arrow: {reason}. Write it again, or give its format with --format.")
