"""A data file opened as text: unpacked, and in the encoding that its first bytes tell."""

import io
import lzma
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.dataset.formats import PACKED
from stages.errors import DataError
from stages.reading.encodings import USUAL, encoding_of
from stages.special_files import open_regular

HEAD = 1 << 20  # bytes that tell the encoding


def find_encoding(path: Path) -> tuple[str, bool]:
    """The encoding of a text file, by its first bytes, and whether it is a guess.

    Raises:
        DataError: The file is empty.
        ValueError: It is binary.
    """
    with _open_bytes(path) as file:
        head = bytes(file.read(HEAD))
    if not head:
        raise DataError(f"{path} is empty (0 bytes). Give a file with rows.")
    encoding = encoding_of(head)
    if encoding.name is None or (0 in head and encoding.name in ("utf-8", USUAL)):
        raise ValueError(f"it is a binary file (byte 0 at position {head.index(0)})")
    return encoding.name, encoding.guessed


def open_text(path: Path, encoding: str) -> io.TextIOWrapper:
    """A file as text; bytes that are not in the encoding become `�`."""
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    return io.TextIOWrapper(_open_bytes(path), encoding=codec, errors="replace", newline="")


def _open_bytes(path: Path) -> Any:
    """Open a file, unpacked as its name says."""
    file, suffix = open_regular(path), path.suffix.lower()
    if suffix == ".xz":
        return lzma.open(file)
    if suffix in PACKED:
        return pa.CompressedInputStream(file, {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}[suffix])
    return file
