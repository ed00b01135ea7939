"""Lines of JSON with new keys, as every reader of JSON takes them."""

import json
import math
from typing import Any


def extended(row: dict[str, Any], line: str | None, new: dict[str, Any]) -> bytes:
    """Return a line of JSON with new keys, the others as they were written: digits, spelling, blanks."""
    if line is None:
        return json_line({**row, **new})
    start = line[:-1].rstrip() + (", " if row else "")
    try:
        return (start + json.dumps(new, ensure_ascii=False)[1:] + "\n").encode("utf-8")
    except UnicodeEncodeError:
        return json_line({**row, **new})


def json_line(row: dict[str, Any]) -> bytes:
    """Return a line of UTF-8: lone surrogates are escaped, as they were in the input; NaN and infinities are null."""
    try:
        line = json.dumps(row, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:  # JSON has no such numbers, and most readers refuse Python's words for them
        row = _finite(row)
        line = json.dumps(row, ensure_ascii=False, default=str)
    try:
        return (line + "\n").encode("utf-8")
    except UnicodeEncodeError:
        return (json.dumps(row, default=str) + "\n").encode("ascii")


def _finite(value: Any) -> Any:
    """Return a value with None for the numbers that JSON does not have, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return {key: _finite(item) for key, item in value.items()} if isinstance(value, dict) else value
