"""Numbers and texts as the templates write them."""

import functools
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup


def format_number(metrics: object, *keys: str) -> str:
    """Return a number of metrics.json for people, rounded to the digits that its interval supports.

    Args:
        metrics: The contents of metrics.json.
        keys: Where the number is, such as "champion", "test", "mcc", "value".
    """
    entry, value = _find(metrics, keys)
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    low, high = entry.get("low"), entry.get("high")
    places = decimals(low, high) if isinstance(low, float) and isinstance(high, float) else _places(value)
    text = f"{value:.{places}f}"
    return (text.removeprefix("-") if float(text) == 0 else text).replace("-", "−")


def data_element(metrics: object, *keys: str) -> Markup:
    """Return the number as a <data> element that also has its exact value and its keys in metrics.json."""
    _, value = _find(metrics, keys)
    return Markup('<data value="{}" data-key="{}">{}</data>').format(
        "" if value is None else repr(value), json.dumps(keys, ensure_ascii=False), format_number(metrics, *keys)
    )


def decimals(low: float, high: float) -> int:
    """Return the decimals (2 to 6) that an interval supports: to the second significant digit of its half width."""
    half = (high - low) / 2
    return 4 if half <= 0 else min(6, max(2, math.ceil(-math.log10(half)) + 1))


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


def _find(metrics: object, keys: Sequence[str]) -> tuple[Mapping[str, Any], Any]:
    """The number, and all fields of the entry that holds it."""
    *path, name = keys
    entry = functools.reduce(lambda fields, key: _fields(fields[key]), path, _fields(metrics))
    return entry, entry[name]


def _fields(entry: Any) -> Mapping[str, Any]:
    return entry if isinstance(entry, Mapping) else vars(entry)


def _places(value: float) -> int:
    """Decimals of a number without an interval: two or three, or more for two digits of a small one."""
    if 0 < abs(value) < 0.01:
        return 1 - math.floor(math.log10(abs(value)))
    return 2 if round(value, 2) == value else 3
