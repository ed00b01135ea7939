"""Texts of the data made safe to show to people: in a page, a terminal and a spreadsheet."""

import re
import unicodedata

HIDDEN = ("Cc", "Cf", "Cs", "Co")  # Unicode categories: control, format, surrogate, private use
KEPT = "\t\n\r\u200c\u200d"  # of HIDDEN: white space, and the joiners that emoji and some scripts need

NUMBER = re.compile(r"[+-]?(\d+([.,]\d+)*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
BEGINS = "=+\\-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20\u207a\u207b\u207c\u208a\u208b\u208c"  # a formula
SPACES = r"[^\S\t\n\r]|[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"  # shown or not
QUOTES = "[\"'`\\u00b4\\u2018-\\u201f\\uff02\\uff07]"
SKIPPED = rf"(?:{SPACES}|{QUOTES})*"  # what a spreadsheet may take away before it looks for a formula
CELL = re.compile(
    rf"\A(?={SKIPPED}[{BEGINS}\t\n\r])"  # the cell itself
    rf"|[;\t\n\r](?={SKIPPED}[{BEGINS}])"  # or a part that a program with another separator takes for a cell
)
SAFE_CELL = re.compile(rf"({CELL.pattern})'")


def visible(text: str) -> str:
    """Return `text` with � for each character that shows nothing, acts on a terminal or changes the direction."""
    return "".join("�" if unicodedata.category(c) in HIDDEN and c not in KEPT else c for c in text)


def shorten(text: str, limit: int) -> str:
    """Return a text in one line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def spreadsheet_safe(text: str) -> str:
    """Return the content of a CSV cell with an apostrophe before whatever a spreadsheet would take for a formula.

    A number stays as it is. Different texts stay different, and the text comes back if the apostrophe is taken away
    wherever `CELL` matches.

    Source: OWASP, "CSV injection".
    """
    return text if NUMBER.fullmatch(text) else CELL.sub(r"\g<0>'", text)


def spreadsheet_unsafe(text: str) -> str:
    """Return the text that `spreadsheet_safe` made this one of; the same text if it is of none."""
    bare = SAFE_CELL.sub(r"\1", text)
    return bare if spreadsheet_safe(bare) == text else text
