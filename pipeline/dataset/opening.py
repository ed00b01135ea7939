"""A data file opened as text: unpacked, and in the encoding that its first bytes tell."""

import codecs
import io
from pathlib import Path
from typing import Any

from stages import git_lfs
from stages.errors import DataError
from stages.reading.binary import refuse_binary
from stages.reading.dialect import Settings
from stages.reading.encodings import Encoding, encoding_of, why_no_text
from stages.reading.packed import LONGEST, compression_of
from stages.reading.unpacking import open_compressed
from stages.special_files import open_regular

OTHERS = {  # first bytes, in small letters -> what the file is, and what to do
    git_lfs.START: git_lfs.WHAT,
    b"<!doctype html": "an HTML page, not data. Download the file itself.",
    b"<html": "an HTML page, not data. Download the file itself.",
}
SETTINGS = Settings(verb="Add", read_as="-S download.dataset.format={}")  # as `retune init` names the format
TEXT = ("csv", "tsv", "jsonl", "json", "lines")  # formats that may be packed
HEAD = 1 << 20  # bytes that tell the encoding


def find_encoding(path: Path) -> Encoding:
    """The encoding of a text file, by its first bytes.

    Raises:
        DataError: The file is empty, or not data.
        ValueError: It is binary.
    """
    head = first_bytes(path)
    if not head:
        raise DataError(f"{path} is empty (0 bytes). Give a file with rows.")
    encoding = encoding_of(head)
    if encoding.name is None:
        raise ValueError(f"it is {why_no_text(head)}")
    return encoding


def first_bytes(path: Path) -> bytes:
    """The first bytes of a file, unpacked."""
    with _open_bytes(path) as file:
        return bytes(file.read(HEAD))


def is_text_in(path: Path, encoding: str) -> bool:
    """Whether the first bytes of a file can be text in an encoding."""
    head = first_bytes(path)
    try:
        codecs.getincrementaldecoder(encoding)().decode(head, final=len(head) < HEAD)
    except (UnicodeError, LookupError):
        return False
    return True


def open_text(path: Path, encoding: str) -> io.TextIOWrapper:
    """A file as text; bytes that are not in the encoding become `�`."""
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    return io.TextIOWrapper(_open_bytes(path), encoding=codec, errors="replace", newline="")


def refuse_other(path: Path, file_format: str) -> None:
    """Check by its first bytes that a file is data in its format.

    Args:
        path: The file; it may be packed if the format is text.
        file_format: What its name, or a person, says.

    Raises:
        DataError: It is; the message says what to do.
    """
    with _open_bytes(path) if file_format in TEXT else open_regular(path) as file:
        head = bytes(file.read(HEAD))
    start = head.lstrip()[:100].lower()
    for magic, what in OTHERS.items():
        if start.startswith(magic):
            raise DataError(f"{path} is {what}")
    refuse_binary(head, str(path), file_format, SETTINGS)


def _open_bytes(path: Path) -> Any:
    """Open a file, unpacked as its first bytes say, because its name may be wrong."""
    file = open_regular(path)
    kind = compression_of(file.peek(LONGEST))
    return file if kind is None else open_compressed(file, kind)
