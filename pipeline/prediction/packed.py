"""Text files that are packed by themselves: gzip, bzip2 and xz are unpacked while they are read."""

import bz2
import gzip
import io
import lzma
import zlib
from io import BufferedReader
from typing import Any, BinaryIO

from stages.errors import DataError

OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}  # by first bytes
DAMAGE = (EOFError, zlib.error, lzma.LZMAError, OSError)


def unpacked(file: BufferedReader, name: str) -> BinaryIO:
    """Return a stream of what is in a packed file, or the file itself where it is not packed.

    Args:
        file: At its start.
        name: What messages call it.

    Raises:
        DataError: It can't be read; or later, while the stream is read, it is damaged.
    """
    try:
        head = file.peek(8)
    except OSError as error:
        raise DataError(f"{name} can't be read: {error.strerror or error}. Give a file that can be.") from error
    opener = next((opener for start, opener in OPENERS.items() if head.startswith(start)), None)
    return file if opener is None else io.BufferedReader(_Unpacking(opener(file), name))


class _Unpacking(io.RawIOBase):
    """The content of a packed file, whose damage is one error."""

    def __init__(self, content: Any, name: str) -> None:
        self._content, self._name = content, name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            return int(self._content.readinto(buffer))
        except DAMAGE as error:
            raise DataError(f"{self._name} is packed, and damaged: {error}. Pack it again.") from error

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        return int(self._content.seek(position, whence))

    def tell(self) -> int:
        return int(self._content.tell())
