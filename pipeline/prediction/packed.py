"""Text files and streams that are packed by themselves: unpacked while they are read."""

import io
from io import BufferedReader
from typing import Any, BinaryIO

from stages.errors import DataError, refusal
from stages.reading.packed import LONGEST, compression_of
from stages.reading.unpacking import DAMAGE, open_compressed


def unpacked(file: BufferedReader, name: str) -> BinaryIO:
    """Return a stream of what is in a packed file, or the file itself where it is not packed.

    Args:
        file: At its start.
        name: What messages call it.

    Raises:
        DataError: It can't be read; or later, while the stream is read, it is damaged.
    """
    try:
        compression = compression_of(file.peek(LONGEST))
    except OSError as error:
        raise DataError(f"{name} can't be read: {refusal(error, 'give another file')}") from error
    return file if compression is None else io.BufferedReader(_Unpacking(file, compression, name))


class _Unpacking(io.RawIOBase):
    """The content of a packed file, whose damage is one error; it can be read again from its start."""

    def __init__(self, file: BufferedReader, compression: str, name: str) -> None:
        self._file, self._compression, self._name = file, compression, name
        self._content, self._position = open_compressed(file, compression), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._content.read(len(buffer))
        except DAMAGE as error:
            raise DataError(f"{self._name} is compressed and damaged: {error}. Compress the file again.") from error
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        if (position, whence) == (0, io.SEEK_SET):
            self._file.seek(0)
            self._content, self._position = open_compressed(self._file, self._compression), 0
        elif (position, whence) != (0, io.SEEK_CUR):
            raise io.UnsupportedOperation("a compressed file is read from its start")
        return self._position

    def tell(self) -> int:
        return self._position
