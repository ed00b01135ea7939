"""Columns of Arrow as Python values; checked in full first, because a damaged one can point outside its data."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

ROWS = 10_000  # converted at once, at most
BYTES = 100_000_000  # converted at once, unless one row is larger

AS_BYTES = {
    pa.string(): pa.binary(),
    pa.large_string(): pa.large_binary(),
    pa.string_view(): pa.binary_view(),
}


def rows_of(batch: pa.RecordBatch, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of some columns as Python values; bytes of a string that are not UTF-8 become lone surrogates.

    Raises:
        pyarrow.ArrowException: The batch is damaged, or a value has no equal in Python.
    """
    batch.validate()
    arrays = [batch.column(batch.schema.names.index(name)) for name in columns]
    converters = [_converter(array) for array in arrays]
    step = rows_at_once(batch.nbytes // max(1, len(batch)))
    for start in range(0, len(batch), step):
        parts = (convert(array.slice(start, step)) for convert, array in zip(converters, arrays, strict=True))
        yield from zip(*parts, strict=True)


def rows_at_once(bytes_per_row: int) -> int:
    """Return how many rows of a size are converted at once."""
    return max(1, min(ROWS, BYTES // max(1, bytes_per_row)))


def _converter(array: pa.Array) -> Callable[[pa.Array], list[Any]]:
    """Check a column, and return what makes Python values of its slices."""
    if isinstance(array, pa.DictionaryArray):
        array.indices.validate(full=True)
        values = _converter(array.dictionary)(array.dictionary)
        pa.DictionaryArray.from_arrays(array.indices, pa.nulls(len(values)))  # are the indices inside?
        return lambda part: [None if index is None else values[index] for index in part.indices.to_pylist()]
    if array.type in AS_BYTES:  # as bytes, so that a row that is not UTF-8 can be named like one of a text file
        array.cast(AS_BYTES[array.type]).validate(full=True)
        return _decode
    array.validate(full=True)
    return _to_python


def _decode(part: pa.Array) -> list[str | None]:
    try:
        texts: list[str | None] = part.to_pylist()
    except UnicodeDecodeError:
        cells = part.cast(AS_BYTES[part.type]).to_pylist()
        texts = [None if cell is None else cell.decode("utf-8", "surrogateescape") for cell in cells]
    return texts


def _to_python(part: pa.Array) -> list[Any]:
    try:
        values: list[Any] = part.to_pylist()
    except (ValueError, ArithmeticError, LookupError) as error:  # a date of the year 10,000, an unknown time zone
        raise pa.ArrowInvalid(f"a value of type {part.type} can't be read: {error}") from error
    return values
