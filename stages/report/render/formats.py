"""Numbers and texts as the templates write them."""

import functools
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup


def format_number(metrics: object, *keys: str) -> str:
    """Return a number of metrics.json for people, with as many decimals as the longest number beside it.

    Args:
        metrics: The contents of metrics.json.
        keys: Where the number is, such as "champion", "test", "mcc", "value".
    """
    *path, name = keys
    entry = functools.reduce(lambda fields, key: _fields(fields[key]), path, _fields(metrics))
    value = entry[name]
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    places = max(2, *(_decimals(neighbour) for neighbour in entry.values()))
    return f"{value:.{places}f}".replace("-", "−")


def data_element(metrics: object, *keys: str) -> Markup:
    """Return the number as a <data> element that also has its exact value and its keys in metrics.json."""
    text = format_number(metrics, *keys)
    return Markup('<data value="{}" data-key="{}">{}</data>').format(
        plain(text), json.dumps(keys, ensure_ascii=False), text
    )


def plain(number: str) -> str:
    """Return a formatted number as programs read it."""
    return number.replace("−", "-").replace(",", "")


def escape_markdown(text: object) -> str:
    """Return text that Markdown shows unchanged, in one line."""
    one_line = " ".join(str(text).split())
    return re.sub(r"([\\`*_{}\[\]<>#|~&$!@])", lambda match: f"&#{ord(match[0])};", one_line)


def four_digits(value: float) -> str:
    """Return a number of the learning curve with four decimals, or four significant digits if it is small."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) >= 0.1 or value == 0 else f"{value:.4g}"


def thousands(value: float) -> str:
    """Return a number without decimals and with commas between the thousands."""
    return f"{value:,.0f}"


def percent(share: float) -> str:
    """Return a share (0 to 1) as a percentage, with more decimals where it would round to none or all."""
    return f"{100 * share:.{1 if 0.0005 <= share < 0.9995 or share in (0, 1) else 3}f}%"


def _fields(entry: Any) -> Mapping[str, Any]:
    return entry if isinstance(entry, Mapping) else vars(entry)


def _decimals(value: object) -> int:
    return len(repr(value).partition(".")[2]) if isinstance(value, float) and "e" not in repr(value) else 0
