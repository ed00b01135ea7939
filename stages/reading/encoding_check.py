"""Checks that a file is in the encoding that is said, so that no text is read wrongly without a word."""

import logging

from stages.errors import DataError
from stages.reading.dialect import Dialect
from stages.reading.encodings import contradicts, encoding_of, guess_shown, is_wide
from stages.reading.lines import is_utf8

logger = logging.getLogger(__name__)


def check_encoding(head: bytes, name: str, dialect: Dialect) -> None:
    """Check the first bytes of a file against its encoding; warn where they only make another one likely.

    Args:
        head: The first bytes.
        name: What messages call the file.
        dialect: Its encoding.

    Raises:
        DataError: It is in another encoding, or UTF-16 where UTF-8 is said, or the other way round.
    """
    said, settings = dialect.encoding, dialect.settings
    if other := other_encoding(head, said):
        advice = settings.set(settings.encoding.format(other))
        raise DataError(f"{name} is {other.upper()}, but is read as {said}. {advice}, or save the file as {said}.")
    if found := contradicts(head, said):
        advice = settings.set(settings.encoding.format(found))
        logger.warning("%s is read as %s, but looks like %s. %s, if that is right.", name, said, found.upper(), advice)
    guess = encoding_of(head)
    if is_utf8(said) and guess.guessed:
        advice = settings.set(settings.encoding.format(guess.name))
        logger.warning(
            "%s is read as UTF-8, but is not valid UTF-8. %s %s, or save the file as UTF-8.",
            name,
            guess_shown(guess),
            advice,
        )


def other_encoding(head: bytes, said: str) -> str | None:
    """Return the encoding that a file is in for certain where it is not in the one that is said; None: it can be."""
    found = contradicts(head, said)
    return found if found and (is_utf8(said) or is_wide(said) or is_wide(found)) else None
