"""What is in a compressed file: every stream of it, or an error."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from typing import IO, Any

import pyarrow as pa

DAMAGE = (EOFError, zlib.error, lzma.LZMAError, OSError, pa.ArrowException)
CHUNK = 1 << 18  # bytes
PADDING = 4  # bytes of which xz allows any multiple after a stream, all of them 0
DECOMPRESSORS: dict[str, Callable[[], Any]] = {"xz": lzma.LZMADecompressor, "bz2": bz2.BZ2Decompressor}


def open_compressed(file: IO[bytes], compression: str) -> Any:
    """Return the content of a compressed file, which stays open when the content is closed.

    Args:
        file: At its start.
        compression: As `compression_of` tells.

    Raises:
        One of DAMAGE: It is damaged; mostly later, while the content is read.
    """
    if compression == "gzip":
        return gzip.open(file)
    if compression == "zstd":
        return pa.CompressedInputStream(_Borrowed(file), "zstd")
    return io.BufferedReader(_Streams(file, compression), CHUNK)


class _Borrowed(io.RawIOBase):
    """A file that stays open when what reads it is closed, as Arrow closes what it has read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Streams(io.RawIOBase):
    """The content of all streams of an xz or bz2 file.

    Python's own reader takes a damaged stream after the first for the end of the file, and loses what follows.
    """

    def __init__(self, file: IO[bytes], compression: str) -> None:
        self._file, self._compression = file, compression
        self._decompressor = DECOMPRESSORS[compression]()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = b""
        while not data:
            if self._decompressor.eof:
                start = self._next_stream(self._decompressor.unused_data)
                if not start:
                    return 0
                self._decompressor = DECOMPRESSORS[self._compression]()
            elif self._decompressor.needs_input:
                start = self._file.read(CHUNK)
                if not start:
                    raise EOFError("it ends before its last stream does")
            else:
                start = b""
            data = self._decompressor.decompress(start, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _next_stream(self, start: bytes) -> bytes:
        """Return the first bytes after the end of a stream that are not padding; empty at the end of the file.

        Raises:
            lzma.LZMAError: The padding is of a length that can't be.
        """
        if self._compression == "bz2":
            return start or self._file.read(CHUNK)
        zeros = 0
        while start := start or self._file.read(CHUNK):
            stream = start.lstrip(b"\0")
            zeros += len(start) - len(stream)
            if stream:
                break
            start = b""
        if zeros % PADDING:
            raise lzma.LZMAError(f"{zeros} zero bytes follow a stream, which is no multiple of {PADDING}")
        return start.lstrip(b"\0")
