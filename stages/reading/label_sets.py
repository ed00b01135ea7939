"""Label sets as text, a JSON list of the labels, sorted and each once: of lists, separated texts and columns of 0/1."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stages.messages import short
from stages.reading.values import NotTextError, as_text

YES, NO = frozenset({"1", "true"}), frozenset({"0", "false"})  # in lower case


def set_text(labels: Iterable[str]) -> str:
    """Return the text of a label set: `["app", "payment"]`; blanks around labels, and empty labels, do not count."""
    return json.dumps(sorted({label.strip() for label in labels} - {""}), ensure_ascii=False)


def parse_set(text: str) -> list[str] | None:
    """Return the labels of a text that is a JSON list of texts, numbers or booleans; None for any other text."""
    if not text.lstrip().startswith("["):
        return None
    try:
        values = json.loads(text)
        return [_label(value) for value in values] if isinstance(values, list) else None
    except (ValueError, RecursionError):  # NotTextError is a ValueError
        return None


def text_of_list(values: Sequence[Any]) -> str:
    """Return the text of a list of labels.

    Raises:
        NotTextError: One is missing, or is a list itself.
    """
    return set_text([_label(value) for value in values])


def text_of_separated(text: str, separator: str) -> str:
    """Return the text of labels with a separator between them; of an empty text, the empty set."""
    return set_text(text.split(separator))


def text_of_flags(cells: Mapping[str, str | None]) -> str:
    """Return the text of the labels whose cells say yes.

    Args:
        cells: By label, 1, true, 0 or false.

    Raises:
        NotTextError: A cell is something else, or empty.
    """
    for label, cell in cells.items():
        if (cell or "").strip().lower() not in YES | NO:
            raise NotTextError(f"the column {short(label)} is {short(cell or '')}, neither 0 nor 1")
    return set_text(label for label, cell in cells.items() if (cell or "").strip().lower() in YES)


def _label(value: Any) -> str:
    text = as_text(value)
    if text is None:
        raise NotTextError("a label in the list is missing")
    return text
