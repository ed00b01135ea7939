"""Where the values of a column stand in a table of Arrow: in a column, or in a field of the structs in one."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from stages.reading.values import find_column

Steps = tuple[str, ...]  # the column, and the fields of structs in it, that lead to values


def steps_to(name: str, schema: pa.Schema, column: str) -> Steps | None:
    """Return what leads to the values of a column, or of `review.body`; None where a table has neither.

    Args:
        name: What messages call the table.
        schema: Its columns.
        column: The name.

    Raises:
        DataError: The column is there several times.
    """
    position = find_column(name, schema.names, column)
    if position is not None:
        return (schema.names[position],)
    steps = tuple(column.split("."))
    return steps if steps in leaves(schema) else None


def leaves(fields: Iterable[pa.Field]) -> list[Steps]:
    """Return the columns of a table, and the fields of structs in them instead of these."""
    found: list[Steps] = []
    for field in fields:
        inner = leaves(field.type) if pa.types.is_struct(field.type) else [()]
        found += [(field.name, *steps) for steps in inner]
    return found


def values_at(table: pa.Table | pa.RecordBatch, steps: Steps) -> pa.Array | pa.ChunkedArray:
    """Return the values that steps lead to; shape (rows,)."""
    array = table.column(table.schema.names.index(steps[0]))
    return pc.struct_field(array, list(steps[1:])) if len(steps) > 1 else array
