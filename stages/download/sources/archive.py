"""Unpack a member of a zip or tar file, and compressed files, with limits on what a small file can grow to."""

import errno
import io
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

from stages.download.sources.members import find_member, shown, tar_members
from stages.errors import DataError
from stages.messages import plain, short
from stages.reading.packed import START, archive_of, compression_of
from stages.reading.regular_files import open_file
from stages.reading.unpacking import DAMAGE as COMPRESSED_DAMAGE
from stages.reading.unpacking import open_compressed

DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, RecursionError, EOFError),
    *(OSError, ValueError, OverflowError, LookupError),  # zipfile and tarfile raise these for headers with odd numbers
)
CHUNK = 1 << 20  # bytes
LARGEST_HEADER = 256_000_000  # bytes; the directory of a zip with so many members is smaller


def unpack(path: Path, *, member: str | None, name: str, scratch: Path, limit: int, workbook: bool = False) -> Path:
    """Return the path of the plain file: the unpacked `member` or content, or `path` itself where nothing is packed.

    Args:
        path: The file as fetched.
        member: Path of the file in the archive; None: `path` is not an archive.
        name: What messages call it.
        scratch: Existing folder to unpack into; a member's own name is never used, so it can't point elsewhere.
        limit: Bytes that a file may unpack to, because a small archive can fill a disk.
        workbook: Is the plain file a workbook, which is a zip itself?

    Raises:
        DataError: It is damaged, encrypted, not an archive or too large, has no such member, or what comes out is
            packed again.
    """
    if path.is_dir():
        return path
    if member is not None:
        path = _decompress(path, name, scratch / "archive", limit)
        path = _extract(path, member, name, scratch / "member", limit)
        name = f"{name}:{plain(member)}"
    plain_file = _decompress(path, name, scratch / "plain", limit)
    if not workbook:
        _refuse_packed(plain_file, name, in_archive=member is not None)
    return plain_file


def _refuse_packed(path: Path, name: str, *, in_archive: bool) -> None:
    """Check that an unpacked file is not packed itself.

    Raises:
        DataError: It is.
    """
    with open_file(path, name) as file:
        start = file.read(START)
    if compression := compression_of(start):
        raise DataError(f"{name} is compressed twice ({compression}). Unpack it yourself, and give that file.")
    archive = archive_of(start)
    if archive in ("zip", "tar") and not in_archive:
        raise DataError(
            f"{name} is a {archive} file. Name the file in it as `member` in download.dataset.files. It has: "
            f"{_shown_members(path, name)}. For a workbook (xlsx), set download.dataset.format: excel."
        )
    if archive:
        raise DataError(f"{name} is a {archive} file. Unpack it yourself, and give the path of the file in it.")


class _HeaderReader(io.BufferedReader):
    """A file whose reader can't be made to read a header of any size, whatever size the file claims for it."""

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, os.fstat(self.fileno()).st_size - self.tell())
        size = left if size is None or size < 0 else min(size, left)
        if size > LARGEST_HEADER:
            raise tarfile.ReadError(f"it has a header of {size:,} bytes")
        return super().read(size)


def _extract(archive: Path, member: str, name: str, target: Path, limit: int) -> Path:
    with open_file(archive, name) as opened:
        file: Any = _HeaderReader(opened.raw)
        try:
            if tarfile.is_tarfile(file):  # before zip: a zip at the end of a tar would be found there
                file.seek(0)
                with tarfile.open(fileobj=file, mode="r:") as tar:
                    members = tar_members(tar, name)
                    info = members[find_member(member, members, name)]
                    with tar.extractfile(info) or io.BytesIO() as source:
                        return _copy(source, target, f"{name}:{plain(member)}", limit)
            file.seek(0)
            if zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as packed:
                    files = dict.fromkeys(info.filename for info in packed.infolist() if not info.is_dir())
                    with packed.open(find_member(member, files, name)) as source:
                        return _copy(source, target, f"{name}:{plain(member)}", limit)
        except DAMAGE as error:
            _raise_if_disk_full(error)
            problem = plain(str(error)) or type(error).__name__
            raise DataError(
                f"{name} member {plain(member)} can't be unpacked: {problem}. Fetch the file again."
            ) from error
        except RuntimeError as error:  # a missing password, or a kind of compression that zipfile does not know
            raise DataError(
                f"{name} member {plain(member)}: {error}. Unpack it yourself, and give the path of the file."
            ) from error
    raise DataError(f"{name} is not a zip or tar file, so it has no member {short(member)}. Delete `member`.")


def _shown_members(archive: Path, name: str) -> str:
    """Return the names of the files in a zip or tar, as messages show them."""
    with open_file(archive, name) as opened:
        file: Any = _HeaderReader(opened.raw)
        try:
            if tarfile.is_tarfile(file):
                file.seek(0)
                with tarfile.open(fileobj=file, mode="r:") as tar:
                    return shown(list(tar_members(tar, name)))
            with zipfile.ZipFile(file) as packed:
                return shown([info.filename for info in packed.infolist() if not info.is_dir()])
        except DAMAGE:
            return "nothing that can be read"


def _decompress(path: Path, name: str, target: Path, limit: int) -> Path:
    with open_file(path, name) as file:
        compression = compression_of(file.read(START))
        if compression is None:
            return path
        file.seek(0)
        try:
            with open_compressed(file, compression) as stream:
                return _copy(stream, target, name, limit)
        except COMPRESSED_DAMAGE as error:
            _raise_if_disk_full(error)
            problem = " ".join(str(error).split())
            raise DataError(f"{name} can't be read as {compression}: {problem}. Fetch the file again.") from error


def _raise_if_disk_full(error: Exception) -> None:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise error  # the file is not damaged


def _copy(source: IO[bytes], target: Path, name: str, limit: int) -> Path:
    written = 0
    with target.open("wb") as file:
        while chunk := source.read(CHUNK):
            written += len(chunk)
            if written > limit:
                raise DataError(
                    f"{name} unpacks to more than {limit / 1e6:g} MB. If that is right, raise machine.unpack_limit_mb."
                )
            file.write(chunk)
    return target
