"""Rows of JSON as a table: its columns have the types of the first rows, and no value is changed to fit one."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipeline.prediction.records import MALFORMED
from stages.errors import DataError
from stages.messages import short
from stages.shown import shorten

UNFIT = (pa.ArrowException, OSError, OverflowError, RecursionError, UnicodeEncodeError)


def schema_of(rows: Sequence[dict[str, Any]]) -> pa.Schema:
    """Return a schema with a column for each key of the rows, and one for malformed rows, which may come later.

    Raises:
        DataError: The values of a key have several types, or one that Arrow does not have.
    """
    names = dict.fromkeys([*(key for row in rows for key in row), MALFORMED])
    return pa.schema([_field(name, [row.get(name) for row in rows]) for name in names])


def table_of(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return the rows as a table; a key that a row does not have is null, also in an object.

    Args:
        rows: Of JSON.
        schema: From `schema_of`, of these rows or of earlier ones.

    Raises:
        DataError: A row has a key without a column, or a value that its column can't hold as it is.
    """
    columns = set(schema.names)
    unknown = next((key for row in rows for key in row if key not in columns), None)
    if unknown is not None:
        raise DataError(
            f"The key {short(unknown)} is not in the first rows, so Parquet has no column for it. "
            "Give --out FILE.jsonl."
        )
    arrays = [_held(field, [row.get(field.name) for row in rows]) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def unfit(name: str, reason: object) -> DataError:
    """Return the error of a column that Parquet can't hold."""
    kinds = f"The column {short(name)} has values of several types, or of one that Parquet does not have"
    return DataError(f"{kinds}: {shorten(str(reason), 200)}. Give --out FILE.jsonl.")


def _field(name: str, values: list[Any]) -> pa.Field:
    try:
        return pa.field(name, _with_strings(pa.array(values).type))
    except UNFIT as error:
        raise unfit(name, error) from error


def _held(field: pa.Field, values: list[Any]) -> pa.Array:
    try:
        array = pa.array(values, field.type)
        held = array.to_pylist()
        changed = next((value for value, kept in zip(values, held, strict=True) if not _same(value, kept)), None)
    except UNFIT as error:
        raise unfit(field.name, error) from error
    if changed is not None:
        raise unfit(field.name, f"{short(changed)} does not fit {field.type}, the type of the first rows")
    return array


def _with_strings(kind: pa.DataType) -> pa.DataType:
    """Return a type with strings where no value is known, at any depth."""
    if pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_with_strings(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _with_strings(field.type)) for field in kind])
    return kind


def _same(value: Any, held: Any) -> bool:
    """Return whether Arrow holds a value of JSON; 2 and 2.0 are the same, 1 and true are not."""
    if isinstance(value, dict) and isinstance(held, dict):
        return all(_same(value.get(key), held.get(key)) for key in value.keys() | held.keys())
    if isinstance(value, list) and isinstance(held, list):
        return len(value) == len(held) and all(map(_same, value, held))
    if isinstance(value, bool) or isinstance(held, bool):
        return value is held
    return bool(value == held) or (value != value and held != held)  # NaN
