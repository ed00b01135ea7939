"""Whether the text that a line of a file shows is the row's.

Programs change cells in more ways than anybody can list: they cut them off, lose letters, compute formulas, take texts
for dates. So where the id and the hash of the text say which row a line is about, only the text of another row says
that it is not: a column was sorted alone, or moved.
"""

import unicodedata
from collections.abc import Collection
from functools import cache

import pyarrow as pa

from stages.shown import HIDDEN, spreadsheet_safe
from stages.text_keys import normalise


def is_text(cell: str, text: str) -> bool:
    """Whether a cell has a text in any case, white space and hidden characters, as it is or as `spreadsheet_safe`."""
    return _key(cell) in (_key(text), _key(spreadsheet_safe(text)))


class RowTexts:
    """The texts of all rows.

    Args:
        table: With a column `text` and a column `text_pair`.
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._keys = cache(self._read_keys)

    def is_another(self, cell: str, text: str, column: str) -> bool:
        """Whether a cell has not a row's text, but that of another row in the same column."""
        return not is_text(cell, text) and _key(cell) in self._keys(column)

    def _read_keys(self, column: str) -> Collection[str]:
        texts = set(self._table[column].to_pylist()) - {None}
        return {key for text in texts for key in (_key(text), _key(spreadsheet_safe(text)))}


def _key(text: str) -> str:
    """A text without what differs between programs and is no other text: white space, hidden characters, case."""
    letters = (letter for letter in text if unicodedata.category(letter) not in HIDDEN)
    return "".join((normalise("".join(letters)) or "").split())
