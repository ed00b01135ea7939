"""Values from files in messages: a few examples and the number of the others, each short and escaped."""

from collections.abc import Callable, Collection
from itertools import islice
from typing import Any

EXAMPLES = 5  # values that a message shows
NAMES = 20  # of columns, members and splits, among which a user looks for the right one
LONGEST = 100  # characters of a value that a message shows


def short(value: Any) -> str:
    """Return a value as messages show it: its first 100 characters."""
    text = repr(value[: LONGEST + 1] if isinstance(value, str) else value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def plain(text: str) -> str:
    """Return a text as messages show it without quotes: short, and what can't be printed escaped."""
    return repr(text if len(text) <= LONGEST else f"{text[:LONGEST]}...")[1:-1]


def place(path: str) -> str:
    """Return a path as messages show it: its end, where it is long, and what can't be printed escaped."""
    return repr(path if len(path) <= LONGEST else f"...{path[-LONGEST:]}")[1:-1]


def counted(count: int, thing: str) -> str:
    """Return how many things there are: "1 row", "1,200 rows"."""
    return f"{count:,} {noun(count, thing)}"


def noun(count: int, thing: str) -> str:
    """Return the word for so many things: "row", "rows"."""
    return thing if count == 1 else f"{thing}s"


def examples(values: Collection[Any], *, most: int = EXAMPLES, show: Callable[[Any], str] = short) -> str:
    """Return the first of some values, and how many more there are; "none" where there are none."""
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return f"{', '.join(map(show, islice(values, most)))}{more}" or "none"
