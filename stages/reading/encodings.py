"""The encoding of a text file, told by its first bytes."""

import codecs
import re
from collections import Counter
from typing import NamedTuple

MARKS = {  # of byte order, the longer first: that of UTF-32 begins like that of UTF-16
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
WIDE = {"utf-16-le": (2, 1), "utf-16-be": (2, 0), "utf-32-le": (4, 3), "utf-32-be": (4, 0)}  # width, where Latin has 0
MOST_NULS = 0.1  # of the bytes of a text that is not wide; UTF-16 of Latin letters has half
SAME_BLOCKS = 0.9  # of the letters of a wide text are in two blocks of 256
BAD = re.compile("[\udc80-\udcff]")  # bytes that are not UTF-8, as surrogateescape shows them
OTHER = re.compile("[^\x00-\x7f\udc80-\udcff]")  # letters beyond ASCII
USUAL = "cp1252"  # of files that are not UTF-8: as Windows writes them in Western Europe and America


class Encoding(NamedTuple):
    """What a text file may be written in."""

    name: str | None  # by Python's name; None: it is no text
    guessed: bool = False  # nothing in the file says so


def encoding_of(head: bytes) -> Encoding:
    """Return the encoding of a file: by its mark, where it is wide by its zeros, else UTF-8 where letters are.

    A file is UTF-8 if as many letters beyond ASCII are as bytes are not: these are faults of their rows. Where fewer
    are, cp1252 is a guess, as all bytes are letters in any encoding of one byte.

    Args:
        head: Its first bytes, which may end within a letter.
    """
    for mark, name in MARKS.items():
        if head.startswith(mark):
            return Encoding(name)
    if head.count(0) > MOST_NULS * len(head):
        return Encoding(_wide(head))
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(head)
    bad = sum(1 for _ in BAD.finditer(text))
    if bad and bad > sum(1 for _ in OTHER.finditer(text)):
        return Encoding(USUAL, guessed=True)
    return Encoding("utf-8")


def first_bad_byte(head: bytes) -> tuple[int, int] | None:
    """Return the first byte that is not UTF-8 and the number of its line, from 1; None where all are."""
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(head)
    found = BAD.search(text)
    return (ord(found[0]) - 0xDC00, text.count("\n", 0, found.start()) + 1) if found else None


def _wide(head: bytes) -> str | None:
    """Return the encoding of a text without a mark in which most letters have zeros at the same places."""
    for name, (width, place) in reversed(WIDE.items()):
        letters = head[: len(head) // width * width]
        if width == 4 and 2 * letters.count(0) < len(letters):
            continue
        blocks = Counter(letters[place::width])  # of an alphabet there are two: its own, and that of ASCII
        others = letters[width - 1 - place :: width].count(0)
        if (
            sum(count for _, count in blocks.most_common(2)) >= SAME_BLOCKS * len(letters) / width
            and 20 * others < blocks[0]
            and _decodes(letters, name)
        ):
            return name
    return None


def _decodes(head: bytes, name: str) -> bool:
    try:
        text = codecs.getincrementaldecoder(name)().decode(head)
    except UnicodeDecodeError:
        return False
    return "\0" not in text
