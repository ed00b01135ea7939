"""A CSV that people edit by hand or in a spreadsheet program, which saves it in a form of its own."""

import csv
import io
from collections.abc import Sequence
from typing import NamedTuple

from stages.errors import DataError
from stages.reading.binary import refuse_binary
from stages.reading.encodings import HEAD, encoding_of, guess_shown

DELIMITERS = (",", ";", "\t")  # by the language of the spreadsheet program
DECIMAL_COMMA = ";"  # which a program writes where its language has the comma for numbers
LONGEST_CELL = 10_000_000  # characters


class Edited(NamedTuple):
    """Such a file, as read."""

    names: list[str]  # of its columns
    rows: list[tuple[int, dict[str, str]]]  # each with the line that it ends on
    decimal_comma: bool  # whether the program that saved it writes 12,5 for 12.5


def decode_edited(content: bytes, name: str) -> str:
    """Return the text of a file in UTF-8, or in UTF-16, as Excel saves "Unicode text".

    Args:
        content: Of the file.
        name: What messages call it.

    Raises:
        DataError: It is in another encoding.
    """
    refuse_binary(content[:HEAD], name, "CSV (UTF-8)")
    found = encoding_of(content[:HEAD])
    if found.name is None:
        raise DataError(f"{name} is not text. Save it as CSV in UTF-8 (Excel: CSV UTF-8).")
    # ESC in a text is no sign of ISO-2022-JP here: retune writes UTF-8, in which such a text is valid
    encoding = "utf-8" if found.guessed or found.name == "iso2022_jp" else found.name
    try:
        return content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        looks = f" {guess_shown(found)}" if found.guessed else ""
        advice = "Save it as UTF-8 (Excel: CSV UTF-8)."
        raise DataError(f"{name} line {line} is not {encoding.upper()}.{looks} {advice}") from error


def read_edited(text: str, name: str) -> Edited:
    """Return the columns and the rows.

    Rows without a filled cell are left out, and so are repetitions of the header: where one of two branches has saved
    the file with other line ends, git's union of both has two.

    Args:
        text: Of the file.
        name: What messages call it.

    Raises:
        DataError: It is not CSV, or a row has more or fewer cells than the header.
    """
    csv.field_size_limit(LONGEST_CELL)
    delimiter = max(DELIMITERS, key=text.split("\n", 1)[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = []
    try:
        header = _names(next(reader, []))
        for cells in reader:
            if not any(cells) or _names(cells) == header:
                continue
            if len(cells) != len(header):
                raise DataError(
                    f"{name} line {reader.line_num} has {len(cells)} fields, but the header has {len(header)}. "
                    "Correct it: put quotes around each cell that contains a delimiter, a quote or a line break."
                )
            rows.append((reader.line_num, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise DataError(f"{name} line {reader.line_num} is not CSV: {error}. Correct it.") from error
    return Edited(header, rows, delimiter == DECIMAL_COMMA)


def _names(cells: Sequence[str]) -> list[str]:
    return [cell.removeprefix("\ufeff").strip() for cell in cells]
