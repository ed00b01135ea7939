"""Values of any type as the text that training and predictions read, and the column or nested field that has them."""

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from stages.errors import DataError

DATES = (datetime.date, datetime.time, datetime.timedelta)  # datetime.datetime is a date

DEEPEST = 8  # levels of objects whose keys a message shows


class NotTextError(ValueError):
    """A value has no text form."""


def as_text(value: Any) -> str | None:
    """Return a value as text: 3.0 is 3, true and false are as in JSON, a date is as in ISO 8601, NaN is no value.

    Raises:
        NotTextError: It is a list, a mapping or the like.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return None if value != value else str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, Decimal):
        return None if value.is_nan() else _plain_decimal(value)
    if isinstance(value, DATES):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    raise NotTextError(f"expected a string or a number, got {type(value).__name__}")


def _plain_decimal(value: Decimal) -> str:
    """Return a decimal number as text without the zeros that end it: 1.50 is 1.5, and 100 stays 100."""
    digits = f"{value if value else abs(value):f}"  # never -0
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def value_at(values: Mapping[str, Any], column: str) -> Any:
    """Return the value of a key, of a nested one (`review.body`), or of the one key that differs by blanks around it.

    None where there is no such key.
    """
    if column in values:
        return values[column]
    value: Any = values
    for key in column.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    if value is None and len(alike := alike_names(values, column)) == 1:
        return values[alike[0]]
    return value


def alike_names(names: Sequence[str] | Mapping[str, Any], column: str) -> list[str]:
    """Return the names that are `column` but for blanks and marks of byte order around them."""
    wanted = bare(column)
    return [name for name in names if bare(name) == wanted]


def bare(name: str) -> str:
    """Return a name without blanks and marks of byte order around it."""
    return name.strip().strip("\ufeff\u200b").strip()


def present_keys(values: Mapping[str, Any], depth: int = 0) -> list[str]:
    """Return the keys of an object, those of the objects in it as `review.body`, to a depth of 8."""
    keys: list[str] = []
    for key, value in values.items():
        keys.append(key)
        if isinstance(value, Mapping) and depth < DEEPEST:
            keys += [f"{key}.{inner}" for inner in present_keys(value, depth + 1)]
    return keys


def find_column(name: str, names: Sequence[str], column: str) -> int | None:
    """Return the position of a column: of this name, or of the one name that differs only by blanks around it.

    Returns:
        None where there is no such column.

    Raises:
        DataError: Several columns have the name.
    """
    matches = [position for position, present in enumerate(names) if present == column]
    matches = matches or [position for position, present in enumerate(names) if bare(present) == bare(column)]
    if len(matches) > 1:
        raise DataError(f"{name} has {len(matches)} columns {column!r}. Give each column a name of its own.")
    return matches[0] if matches else None
