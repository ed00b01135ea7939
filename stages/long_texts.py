"""The parts of a very long text whose tokens can be kept, so that a book in one field is not tokenized whole."""

import re
from collections.abc import Callable, Iterable, Iterator

LONG_TEXT = 1_000_000  # characters; up to this length, a text is tokenized whole
PIECE = 20_000  # characters whose tokens are counted at once, at least
REACH = 100_000  # characters in which a piece looks for the end of a word
MOST = 2_000_000  # characters of the start and of the end that are kept, however few tokens they have
MARGIN = 128  # tokens beyond those that are kept: what a cut changes in the tokens beside it is not kept

BETWEEN_WORDS = re.compile(r"\w(?= \w)")
BEFORE_A_BLANK = re.compile(r"\S(?=\s)")


def shorten(text: str, *, count_tokens: Callable[[str], int], max_length: int, truncation: str) -> str:
    """Return the start and the end of a long text, as far as truncation can keep their tokens.

    The tokens that truncation keeps are those of the whole text. They can differ only where MOST characters have less
    than max_length tokens, where the cut is in a word of more than REACH characters, with a unigram tokenizer that does
    not split texts into words, whose choice of a token can depend on one at any distance, and in which text of a pair
    keeps an odd token: the longer one of the parts does.

    Args:
        text: Longer than LONG_TEXT.
        count_tokens: Returns the number of a text's tokens, special tokens not counted.
        max_length: Tokens that are kept at most.
        truncation: head, tail or head_tail.
    """
    enough, parts, stop = max_length + MARGIN, [], 0
    if truncation != "tail":
        stop, pieces = _pieces(_from_the_start(text), count_tokens, enough)
        parts += pieces
    if truncation != "head":
        parts += reversed(_pieces(_from_the_end(text, stop), count_tokens, enough)[1])
    return "".join(parts)


def _pieces(pieces: Iterable[str], count_tokens: Callable[[str], int], enough: int) -> tuple[int, list[str]]:
    """Return how many characters are needed for `enough` tokens, and the pieces of them that have tokens."""
    kept: list[str] = []
    walked = characters = tokens = 0
    for piece in pieces:
        walked += len(piece)
        if number := count_tokens(piece):  # a piece without tokens, such as blanks, would only fill the memory
            kept.append(piece)
            characters, tokens = characters + len(piece), tokens + number
        if tokens >= enough or characters >= MOST:
            break
    return walked, kept


def _from_the_start(text: str) -> Iterator[str]:
    begin = 0
    while begin < len(text):
        end = _boundary(text, begin + PIECE)
        yield text[begin:end]
        begin = end


def _from_the_end(text: str, stop: int) -> Iterator[str]:
    end = len(text)
    while end > stop:
        begin = end - PIECE - REACH
        begin = _boundary(text, begin) if begin > stop else stop
        yield text[begin:end]
        end = begin


def _boundary(text: str, position: int) -> int:
    """Return the first end of a word from `position` on, or `position` where none is near."""
    for pattern in (BETWEEN_WORDS, BEFORE_A_BLANK):
        if match := pattern.search(text, position, position + REACH):
            return match.end()
    return position
