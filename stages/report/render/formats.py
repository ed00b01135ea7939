"""Numbers and texts as the templates write them."""

import functools
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from stages.metrics.names import NEED_CLASSES, SPLITS
from stages.metrics.summary import format_change, format_value

FEWER_DECIMALS = {"expected": 1, "seeds_share_of_variance": 2}  # numbers that are no metrics, by a key of theirs


def format_number(metrics: object, *keys: str) -> str:
    """Return a number of metrics.json for people, with as many decimals as all of its kind.

    Args:
        metrics: The contents of metrics.json.
        keys: Where the number is, such as "champion", "test", "mcc", "value".
    """
    value = _find(metrics, keys)
    if value is None or _measures_nothing(metrics, keys):
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    places = FEWER_DECIMALS.get(keys[-1], FEWER_DECIMALS.get(keys[0]))
    return format_shown(value) if places is None else f"{value:.{places}f}".replace("-", "−")


def format_shown(value: float) -> str:
    """Return a number as every document of the report shows it: three decimals, and a minus sign that is no hyphen."""
    return format_value(value).replace("-", "−")


def format_signed(value: float) -> str:
    """Return a difference as `format_shown`, with its sign: `+0.012`."""
    return format_change(value).replace("-", "−")


def data_element(metrics: object, *keys: str) -> Markup:
    """Return the number as a <data> element that also has its exact value and its keys in metrics.json."""
    value = _find(metrics, keys)
    return Markup('<data value="{}" data-key="{}">{}</data>').format(
        "" if value is None else repr(value), json.dumps(keys, ensure_ascii=False), format_number(metrics, *keys)
    )


def plain(number: str) -> str:
    """Return a formatted number as programs read it."""
    return number.replace("−", "-").replace(",", "")


def escape_markdown(text: object) -> str:
    """Return text that Markdown shows unchanged, in one line."""
    one_line = " ".join(str(text).split())
    return re.sub(r"([\\`*_{}\[\]<>#|~&$!@])", lambda match: f"&#{ord(match[0])};", one_line)


def curve_value(value: float, column: str) -> str:
    """Return a number of the learning curve, with the same decimals as all of its column."""
    if not math.isfinite(value):
        return "–"
    if column == "epoch":
        return f"{value:.0f}"
    return f"{value:.2e}" if column == "learning_rate" else format_shown(value)


def thousands(value: float) -> str:
    """Return a number without decimals and with commas between the thousands."""
    return f"{value:,.0f}".replace("-", "−")


def percent(share: float) -> str:
    """Return a share (0 to 1) as a percentage, with more decimals where it would round to none or all."""
    return f"{100 * share:.{1 if 0.0005 <= share < 0.9995 or share in (0, 1) else 3}f}%"


def _measures_nothing(metrics: object, keys: Sequence[str]) -> bool:
    """Whether a number is of a metric that needs rows of several classes, on a split that has rows of one."""
    one_class = _fields(metrics).get("one_class")
    if not one_class or keys[0] == "crossfit" or NEED_CLASSES.isdisjoint(keys):
        return False
    of_report = "test" if _find(metrics, ["champion", "test"]) else "val"
    return next((key for key in keys if key in SPLITS), of_report) in one_class


def _find(metrics: object, keys: Sequence[str]) -> Any:
    return functools.reduce(lambda fields, key: _fields(fields)[key], keys, metrics)


def _fields(entry: Any) -> Mapping[Any, Any]:
    return entry if isinstance(entry, Mapping) else vars(entry)
