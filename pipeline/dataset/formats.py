"""The format of a data file, by its name."""

from pathlib import PurePosixPath
from urllib.parse import urlsplit

from stages.errors import DataError
from stages.messages import short
from stages.reading.suffixes import SUFFIXES

PACKED = (".gz", ".zst", ".bz2", ".xz")
ODD = {  # suffix -> what the file is, and what to do
    ".xls": "an old Excel workbook. Save it as xlsx, and give that file",
    ".ods": "an OpenDocument spreadsheet. Save its sheet as CSV (UTF-8), and give that file",
    ".pdf": "a PDF. Save its texts in a CSV file, and give that file",
    ".docx": "a Word document. Save its texts in a CSV file, and give that file",
    ".pkl": "a Python pickle, which can run code. Save it as Parquet (pandas: to_parquet), and give that file",
    ".sqlite": "a database. Export its table as CSV, and give that file",
    ".db": "a database. Export its table as CSV, and give that file",
    ".zip": "an archive. Unpack it, and give one of its files; or name that file as `member` (docs/data.md)",
    ".tar": "an archive. Unpack it, and give one of its files; or name that file as `member` (docs/data.md)",
}


def known_format(source: str, member: str | None = None) -> str | None:
    """The format that the name of a source stands for; None if it says nothing.

    Args:
        source: A path, a pattern or a URL.
        member: The file in it, if it is an archive.

    Raises:
        DataError: The name is that of a file that can't be read; the message says what to do.
    """
    if source.startswith("hf://"):
        return "hf"
    name = PurePosixPath(member or (urlsplit(source).path if "://" in source else source)).name.lower()
    for packed in PACKED:
        name = name.removesuffix(packed)
    suffix = PurePosixPath(name).suffix
    if suffix in ODD:
        raise DataError(f"{short(source)} is {ODD[suffix]}.")
    return SUFFIXES.get(suffix)
