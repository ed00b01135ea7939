"""Which format other than text a file is in, by its first bytes, because its name may be wrong."""

import re
from typing import NamedTuple

from stages.errors import DataError
from stages.reading.dialect import Settings
from stages.reading.packed import archive_of, compression_of


class Binary(NamedTuple):
    """What a file is."""

    what: str  # with its article, as messages name it
    advice: str  # what to do with it, without a full stop
    format: str | None = None  # as which it can be read


SHEET = "Save its sheet as xlsx or CSV (UTF-8)"
TEXTS = "Save its texts in a CSV file (UTF-8)"
TABLE = "Save its rows as Parquet or CSV (UTF-8)"
UNPACK = "Unpack it, and give one of its files"
KINDS = {  # the first that matches; a zip shows the names of its parts between their contents
    rb"PAR1": Binary("Parquet", TABLE, "parquet"),
    rb"ARROW1": Binary("Arrow", TABLE, "arrow"),
    rb"PK\x03\x04.*xl/(workbook|worksheets|styles|theme|_rels)": Binary("an Excel workbook", SHEET, "excel"),
    rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis\.": Binary("an OpenDocument file", SHEET),
    rb"PK\x03\x04.*word/(document|styles|_rels)": Binary("a Word document", TEXTS),
    rb"\xd0\xcf\x11\xe0": Binary("an old workbook (xls), or a file with a password", f"{SHEET}, without a password"),
    rb"%PDF-": Binary("a PDF", TEXTS),
    rb"\{\\rtf": Binary("an RTF document", TEXTS),
    rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|RIFF.{4}WEBP|II\*\x00|MM\x00\*": Binary("a picture", TEXTS),
    rb"SQLite format 3\x00": Binary("a database (SQLite)", TABLE),
    rb"\x80[\x02-\x05]": Binary("a Python pickle, which can run code", TABLE),
    rb"\x89HDF\r\n|\x93NUMPY|Obj\x01|FEA1": Binary(
        "a table of another format (HDF5, NumPy, Avro or old Feather)", TABLE
    ),
}
PATTERNS = {re.compile(magic, re.DOTALL): kind for magic, kind in KINDS.items()}


def binary_of(head: bytes, expected: str = "") -> Binary | None:
    """Return what a file is by its first bytes; None: text, the expected format, or nothing that is known.

    Args:
        head: The first bytes, unpacked where the format may be packed.
        expected: The format that it is to be read as.
    """
    if found := next((kind for magic, kind in PATTERNS.items() if magic.match(head)), None):
        return None if found.format == expected else found
    if archive := archive_of(head):  # of a workbook, the names of the parts may come later
        return None if (archive, expected) == ("zip", "excel") else Binary(f"a {archive} file", UNPACK)
    packed = compression_of(head)
    return Binary(f"a compressed file ({packed})", "Unpack it, and give that file") if packed else None


def refuse_binary(head: bytes, name: str, expected: str, settings: Settings | None = None) -> None:
    """Check by its first bytes that a file is of the format that it is to be read as.

    Args:
        head: The first bytes, unpacked where the format may be packed.
        name: What messages call the file.
        expected: The format.
        settings: How they name the setting of the format; None: it can't be set.

    Raises:
        DataError: It is of another format that its first bytes tell.
    """
    if found := binary_of(head, expected):
        can_be_read = found.format and settings
        advice = settings.set(settings.read_as.format(found.format)) if can_be_read and settings else found.advice
        raise DataError(f"{name}: expected {expected}, got {found.what}. {advice}.")
