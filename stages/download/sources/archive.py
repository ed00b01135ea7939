"""Unpack a member of a zip or tar file, and compressed files, with limits on what a small file can grow to."""

import errno
import io
import lzma
import os
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from stages.download.regular_files import open_file
from stages.errors import DataError
from stages.messages import NAMES, examples, plain, short

COMPRESSIONS = {  # by the first bytes, because the file's name may be wrong
    "gzip": re.compile(rb"\x1f\x8b"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
    "bz2": re.compile(rb"BZh[1-9](1AY&SY|\x17\x72\x45\x38\x50\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\0|\x5d\0\0"),
}
DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, RecursionError, EOFError),
    *(OSError, ValueError, OverflowError, LookupError),  # zipfile and tarfile raise these for headers with odd numbers
)
CHUNK = 1 << 20  # bytes
MOST_MEMBERS = 2_000_000  # of an archive; zipfile and tarfile keep about a kilobyte of each
LARGEST_HEADER = 256_000_000  # bytes; the directory of a zip with so many members is smaller


def unpack(path: Path, *, member: str | None, name: str, scratch: Path, limit: int) -> Path:
    """Return the path of the plain file: the unpacked `member` or content, or `path` itself where nothing is packed.

    Args:
        path: The file as fetched.
        member: Path of the file in the archive; None: `path` is not an archive.
        name: What messages call it.
        scratch: Existing folder to unpack into; a member's own name is never used, so it can't point elsewhere.
        limit: Bytes that a file may unpack to, because a small archive can fill a disk.

    Raises:
        DataError: It is damaged, encrypted, not an archive or too large, or has no such member.
    """
    if path.is_dir():
        return path
    if member is not None:
        path = _decompress(path, name, scratch / "archive", limit)
        path = _extract(path, member, name, scratch / "member", limit)
        name = f"{name}:{plain(member)}"
    return _decompress(path, name, scratch / "plain", limit)


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
            if zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as packed:
                    files = dict.fromkeys(info.filename for info in packed.infolist() if not info.is_dir())
                    _require_member(member, files, name)
                    with packed.open(member) as source:
                        return _copy(source, target, f"{name}:{plain(member)}", limit)
            file.seek(0)
            if tarfile.is_tarfile(file):
                file.seek(0)
                with tarfile.open(fileobj=file, mode="r:") as tar:
                    members = _tar_members(tar, name)
                    _require_member(member, members, name)
                    with tar.extractfile(members[member]) or io.BytesIO() as source:
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


def _tar_members(tar: tarfile.TarFile, name: str) -> dict[str, tarfile.TarInfo]:
    """The files of a tar by name; of several with one name the last counts, as tar itself unpacks them."""
    members = {}
    for number, info in enumerate(tar):
        if number >= MOST_MEMBERS:
            raise _too_many(name)
        if info.isfile():
            members[info.name] = info
    return members


def _require_member(member: str, present: Collection[str], name: str) -> None:
    if len(present) > MOST_MEMBERS:
        raise _too_many(name)
    if member not in present:
        shown = examples(present, most=NAMES, show=plain)
        raise DataError(f"{name} has no member {short(member)}. It has: {shown}. Correct `member`.")


def _too_many(name: str) -> DataError:
    return DataError(f"{name} has more than {MOST_MEMBERS:,} members. Unpack it yourself, and give the path of a file.")


def _decompress(path: Path, name: str, target: Path, limit: int) -> Path:
    with open_file(path, name) as file:
        start = file.read(10)
        compression = next((kind for kind, magic in COMPRESSIONS.items() if magic.match(start)), None)
        if compression is None:
            return path
        file.seek(0)
        try:
            with lzma.open(file) if compression == "xz" else pa.input_stream(file, compression=compression) as stream:
                return _copy(stream, target, name, limit)
        except (OSError, EOFError, lzma.LZMAError, pa.ArrowException) as error:
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
