"""The encoding of a text file, told by its first bytes: by a mark, by zeros, by UTF-8's own form, else a guess."""

import codecs
import re
import unicodedata
from collections import Counter
from typing import NamedTuple

from charset_normalizer import from_bytes

from stages.messages import plain

MARKS = {  # of byte order, the longer first: that of UTF-32 begins like that of UTF-16
    codecs.BOM_UTF8: ("utf-8", "utf-8"),
    codecs.BOM_UTF32_LE: ("utf-32", "utf-32-le"),
    codecs.BOM_UTF32_BE: ("utf-32", "utf-32-be"),
    codecs.BOM_UTF16_LE: ("utf-16", "utf-16-le"),
    codecs.BOM_UTF16_BE: ("utf-16", "utf-16-be"),
}
HEAD = 65_536  # bytes that tell
WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
ESCAPES = re.compile(rb"\x1b\$[@B]")  # of ISO-2022-JP, whose bytes are all ASCII
CONTROLS = bytes({*range(1, 32), 127} - set(b"\t\n\r\x0b\x0c\x1a\x1b"))  # that no text has
MOST_CONTROLS = 0.05  # of the bytes of a text that is neither wide nor UTF-8; bytes at random have 0.1
MOST_NULS = 0.1  # of its bytes, too: in some exports a byte 0 ends each field
BAD = re.compile("[\udc80-\udcff]")  # bytes that are not UTF-8, as surrogateescape shows them
OTHER = re.compile("[^\x00-\x7f\udc80-\udcff]")  # letters beyond ASCII
EAST_ASIAN = re.compile("[\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")
ODD = ("Cc", "Cn", "Co", "Cs")  # categories of characters that no text has
MOST_ODD = 0.01  # of the characters of a wide text
SAME_BLOCKS = 0.9  # of the letters of a wide text are in two blocks of 256: that of ASCII, and its alphabet's
USUAL = "cp1252"  # of files that are not UTF-8: as Windows writes them in Western Europe and America
GUESSES = [  # what such files are written in; of encodings with the same letters, the one that has most
    *("cp1252", "cp1250", "cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic", "cp1253", "cp1254", "cp1255"),
    *("cp1256", "cp1257", "cp874", "iso8859_2", "mac_roman", "cp850", "cp932", "euc_jp", "gb18030", "big5", "cp949"),
]
ASCII = bytes(range(128))
BEFORE = 60  # bytes of a long line that are shown before its first letter beyond ASCII
WHOLE_LETTERS = re.compile(rb"(?s)(.*[\x00-\x2f])?")  # up to a byte that is no part of a longer letter
GUESS = "guess"  # nothing in the file says its encoding
MOST_OTHERS = 3  # encodings that a message names beside the likeliest
JOINED = re.compile(r"[A-Za-z][^\W\d_A-Za-z]|[^\W\d_A-Za-z][A-Za-z]")  # letters of two alphabets in a word
MOST_JOINED = 0.3  # of the letters beyond ASCII
LEAST_LETTERS = 4  # beyond ASCII, that tell another script
SYMBOL_IN_WORD = re.compile(r"[A-Za-z][\xa1-\xbf][A-Za-z]")  # Polish as cp1252: `dzia\xb3a`


class Encoding(NamedTuple):
    """What a text file may be written in."""

    name: str | None  # by Python's name; None: it is no text
    guessed: bool = False  # nothing in the file says so
    others: tuple[str, ...] = ()  # of a guess: what else it can be
    line: str = ""  # of a guess: the first line with letters beyond ASCII, as read so


def encoding_of(head: bytes) -> Encoding:
    """Return the encoding of a file: by its mark, where it is wide by its zeros, else UTF-8 where letters are.

    A file is UTF-8 if as many letters beyond ASCII are as bytes are not: these are faults of their rows. Where fewer
    are, the encoding is a guess, as most bytes are letters in any encoding of one byte. Alphabets other than the Latin
    one, and the scripts of East Asia, can be told from each other; the encodings of Latin letters can't.

    Args:
        head: Its first bytes, which may end within a letter.
    """
    told = _told(head)
    return _guess(head) if told == GUESS else Encoding(told)


def _told(head: bytes) -> str | None:
    """Return what the bytes themselves tell: an encoding, None for no text, or that only a guess is left."""
    for mark, (name, _) in MARKS.items():
        if head.startswith(mark):
            return name
    text = _utf8(head)
    bad, letters = sum(1 for _ in BAD.finditer(text)), sum(1 for _ in OTHER.finditer(text))
    if 0 in head[:HEAD] and letters <= bad and (wide := _wide(head[:HEAD])):
        return wide
    if (bad and _many_controls(head)) or head.count(0) > MOST_NULS * len(head):
        return None
    if bad > letters:
        return GUESS
    return "iso2022_jp" if ESCAPES.search(head) else "utf-8"


def contradicts(head: bytes, encoding: str) -> str | None:
    """Return the encoding of a file whose first bytes tell that it is not in the one that is said; None: it can be.

    It is not if it is UTF-16 or UTF-32 against the name, ISO-2022-JP where UTF-8 is said, or UTF-8 with letters beyond
    ASCII where neither is.
    """
    said, found = encoding.lower().replace("_", "-"), _told(head)
    if found is None or found == GUESS or not head:
        return None
    if is_wide(found):
        ordered = next((ordered for mark, (_, ordered) in MARKS.items() if head.startswith(mark)), found)
        return found if said not in (found, ordered) else None
    if is_wide(said):
        text = _decoded(head[:HEAD], said)
        return None if text and _is_text(text) else found
    if said in ("utf-8", "utf8", "utf-8-sig"):
        return found if found != "utf-8" else None
    return "utf-8" if found == "utf-8" and not head.isascii() and not BAD.search(_utf8(head)) else None


def first_bad_byte(head: bytes) -> tuple[int, int] | None:
    """Return the first byte that is not UTF-8 and the number of its line, from 1; None where all are."""
    text = _utf8(head)
    found = BAD.search(text)
    return (ord(found[0]) - 0xDC00, text.count("\n", 0, found.start()) + 1) if found else None


def guess_shown(encoding: Encoding) -> str:
    """Return a guess as a message shows it: what a line says then, and what else it can be."""
    others = f"; if that is wrong, it may be {', '.join(encoding.others)}" if encoding.others else ""
    return f"It looks like {encoding.name}, with which a line reads {plain(encoding.line)}{others}."


def why_no_text(head: bytes) -> str:
    """Return what a file is that `encoding_of` takes for no text, and what to do."""
    first = next(position for position, byte in enumerate(head) if byte == 0 or byte in CONTROLS)
    place = f"byte {head[first]} at position {first}"
    rest = head.replace(b"\0", b"")
    if encoding_of(rest).name == "utf-8" and not _many_controls(rest):
        return f"a text with many bytes 0 ({place}). Remove them: tr -d '\\000' < FILE > NEW"
    return f"a binary file ({place}). Give a text file"


def _many_controls(head: bytes) -> bool:
    return len(head) - len(head.translate(None, CONTROLS)) > MOST_CONTROLS * len(head)


def _utf8(head: bytes) -> str:
    return codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(head)


def is_wide(name: str) -> bool:
    """Return whether an encoding is UTF-16 or UTF-32."""
    return name.startswith(("utf-16", "utf-32", "utf16", "utf32"))


def _wide(head: bytes) -> str | None:
    """Return the encoding of a text without a mark whose zeros are those of UTF-16 or UTF-32."""
    for name in WIDE:
        text = _decoded(head, name)
        if text and "\0" not in text and _is_text(text):
            return name
    return None


def _is_text(text: str) -> bool:
    """Tell whether what was read as UTF-16 or UTF-32 is a text: of few blocks of characters, or of East Asia."""
    blocks = Counter(ord(character) >> 8 for character in text)  # of an alphabet there are two: its own, and ASCII's
    odd = sum(unicodedata.category(character) in ODD and character not in "\t\r\n" for character in text)
    if odd > MOST_ODD * len(text) or not blocks[0]:
        return False
    # byte 0 at the other place of a letter: fewer letters have it than are of ASCII
    if 2 * sum(ord(character) & 0xFF == 0 for character in text) > blocks[0]:
        return False
    east_asian = sum(1 for _ in EAST_ASIAN.finditer(text))
    alphabet = sum(count for _, count in blocks.most_common(2))
    return max(alphabet, east_asian + blocks[0]) >= SAME_BLOCKS * len(text)


def _decoded(head: bytes, name: str) -> str | None:
    try:
        return codecs.getincrementaldecoder(name)().decode(head)
    except UnicodeError:  # of `utf-16` without its mark, too, which is no error of decoding
        return None


def _guess(head: bytes) -> Encoding:
    """Return the likeliest encoding of a text that is not UTF-8, others that it can be in, and a line as read so."""
    first = len(head) - len(head.lstrip(ASCII))
    lines = [line for line in head[max(0, first - BEFORE) :].split(b"\n") if not line.isascii()]
    sample = b"\n".join(lines)[:HEAD]
    sample = WHOLE_LETTERS.match(sample)[0] or sample  # type: ignore[index]
    likely = [match.encoding for match in from_bytes(sample, cp_isolation=GUESSES)]
    foreign = [name for name in likely if _is_of_another_script(_decoded(sample, name) or "")]
    latin = [name for name in (USUAL, *likely) if name not in foreign and _decoded(sample, name)]
    latin.sort(key=lambda name: SYMBOL_IN_WORD.search(_decoded(sample, name) or "") is not None)
    ordered = dict.fromkeys([*foreign, *latin] if likely[:1] == foreign[:1] else latin)
    name, *others = ordered or [USUAL]
    line = lines[0][:HEAD].decode(name, "replace").strip()
    return Encoding(name, True, tuple(others[:MOST_OTHERS]), line)


def _is_of_another_script(text: str) -> bool:
    """Tell whether the letters beyond ASCII are of a script other than Latin, and not within Latin words."""
    letters = [character for character in text if character.isalpha() and not character.isascii()]
    other = sum(not unicodedata.name(character, "LATIN").startswith("LATIN") for character in letters)
    if len(letters) < LEAST_LETTERS or len(JOINED.findall(text)) > MOST_JOINED * len(letters):
        return False
    return other > 0.9 * len(letters)
