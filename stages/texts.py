"""Texts of any origin: why one can't be classified, and windows of bounded size over many."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from stages.errors import DataError

WINDOW_ROWS = 4_096  # rows that are sorted by length together, and among which equal texts are computed once
WINDOW_CHARACTERS = 2_000_000  # ends a window too: an encoding takes some hundred bytes per token

INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}  # Unicode categories: controls, formats (zero width, soft hyphen), blanks
# Letters and marks without a shape: fillers of Hangul, Khmer and Braille, joiners, and variation selectors.
SHAPELESS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def is_blank(text: str) -> bool:
    """Return whether nothing of a text can be seen: it is empty, or has only blanks and invisible characters."""
    return text.isspace() or all(
        unicodedata.category(character) in INVISIBLE or SHAPELESS.match(character) for character in text
    )


def has_surrogates(text: str) -> bool:
    """Return whether a text has lone surrogates, which UTF-8 can't write; Python reads bytes that are not UTF-8 so."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def text_problem(text: object) -> str | None:
    """Return why `text` can't be classified, or None where it can."""
    if text is None:
        return "text is missing"
    if not isinstance(text, str):
        return f"expected a string, got {type(text).__name__}"
    if is_blank(text):
        return "text is empty"
    if has_surrogates(text):
        return "text is not valid Unicode"
    return None


def check_texts(texts: Sequence[object], text_pairs: Sequence[object] | None, *, of_pairs: bool | None = None) -> None:
    """Check texts that must all be usable.

    Args:
        texts: The texts.
        text_pairs: Their second texts; None: they are single texts.
        of_pairs: Was the model trained on pairs? None: nobody knows.

    Raises:
        DataError: A text is not usable, `text_pairs` has another length than `texts`, or the model needs other rows.
    """
    _check_list(texts, "texts")
    if text_pairs is not None:
        _check_list(text_pairs, "text_pairs")
    if text_pairs is not None and len(text_pairs) != len(texts):
        raise DataError(f"{len(texts)} texts but {len(text_pairs)} text_pairs. Give one second text for each text.")
    if of_pairs and text_pairs is None and len(texts):
        raise DataError(
            "The model was trained on pairs of texts, and these are single ones. Give the second text of each too: "
            "classifier(texts, text_pairs)."
        )
    if of_pairs is False and text_pairs is not None:
        raise DataError("The model was trained on single texts. Leave out text_pairs.")
    for name, values in (("text", texts), ("text_pair", () if text_pairs is None else text_pairs)):
        for number, text in enumerate(values, start=1):
            problem = text_problem(text)
            if problem:
                raise DataError(f"{name} {number} of {len(values)}: {problem}. Give each row a text.")


def _check_list(texts: Sequence[object], name: str) -> None:
    """Check that texts are a list, or another sequence.

    Raises:
        DataError: They are one text, or can't be counted and sliced (a generator, a set, a mapping).
    """
    if isinstance(texts, str):
        raise DataError(f"expected a list of {name}, got one text ({texts[:40]!r}). Put it in brackets.")
    try:
        len(texts), texts[:0]
    except (TypeError, KeyError) as error:
        raise DataError(
            f"expected a list of {name}, got {type(texts).__name__}. Give a list: of an iterable, list(...)."
        ) from error


def windows(texts: Sequence[Any]) -> Iterator[slice]:
    """Yield consecutive slices that cover `texts`, each of a bounded number of rows and characters."""
    start = characters = 0
    for number, text in enumerate(texts):
        size = len(text) if isinstance(text, str) else sum(map(len, text))
        if number > start and (number - start >= WINDOW_ROWS or characters + size > WINDOW_CHARACTERS):
            yield slice(start, number)
            start, characters = number, 0
        characters += size
    if start < len(texts):
        yield slice(start, len(texts))
