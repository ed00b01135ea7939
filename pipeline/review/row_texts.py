"""Whether a cell of a file has the text of a row, whatever a program that saved the file has made of it."""

import re
import unicodedata

from stages.shown import CELL, HIDDEN, spreadsheet_safe
from stages.text_keys import normalise

SHORTEST_CUT = 255  # characters: no program cuts a shorter cell off
LONGEST_VALUE = 40  # characters of what a program takes for a number or a date, or writes for one
MONTH = r"(?:jan|feb|mar|m\u00e4r|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[^\W\d_]{0,6}"  # in English or German
WORD = rf"(?<![^\W\d_])(?:e|t|z|am|pm|{MONTH})(?![^\W\d_])"
VALUE = re.compile(rf"(?=.*\d)(?:[\W\d_]|{WORD})*", re.DOTALL | re.IGNORECASE)  # a number, an amount, a date, a time
FAILED = re.compile(r"#\S+|err:\d+", re.IGNORECASE)  # what a spreadsheet shows of a formula that it can't compute
ESCAPED = re.compile(r"_x00([01][0-9a-f]|7f|[89][0-9a-f])_", re.IGNORECASE)  # a control character in a workbook


def has_text(cell: str, text: str, *, may_be_computed: bool) -> bool:
    """Whether a cell has a text.

    It may differ in case, white space, hidden characters and the form of Unicode; have the apostrophes of
    --spreadsheet-safe; be cut off; or have ? for the characters that an encoding lacks.

    Args:
        cell: Of the file.
        text: Of the row.
        may_be_computed: Whether the cell may also be what a spreadsheet computes of the text: 2 of =1+1, 5 of 005.
    """
    key, may_be_cut = _key(cell), len(cell) >= SHORTEST_CUT
    if any(_is_same(key, _key(form), may_be_cut=may_be_cut) for form in (text, spreadsheet_safe(text))):
        return True
    computes = CELL.match(text) is not None or _is_value(text)
    return may_be_computed and computes and (_is_value(cell) or FAILED.fullmatch(cell.strip()) is not None)


def _is_same(cell: str, text: str, *, may_be_cut: bool) -> bool:
    is_cut = may_be_cut and text.startswith(cell[:-1])  # the last letter may have lost its accent
    return cell == text or is_cut or ("?" in cell and _of_any_encoding(cell) == _of_any_encoding(text))


def _key(text: str) -> str:
    """Return a text without what differs between programs: white space, hidden characters, case, width."""
    letters = (letter for letter in ESCAPED.sub("", text) if unicodedata.category(letter) not in HIDDEN)
    return "".join((normalise("".join(letters)) or "").split())


def _of_any_encoding(text: str) -> str:
    return "".join(letter for letter in text if letter.isascii() and letter != "?")


def _is_value(text: str) -> bool:
    return len(text) <= LONGEST_VALUE and VALUE.fullmatch(text) is not None
