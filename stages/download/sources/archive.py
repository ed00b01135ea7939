"""Unpack a member of a zip or tar file, and compressed files, with limits on what a small file can grow to."""

import errno
import io
import lzma
import os
import posixpath
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from stages.errors import DataError
from stages.messages import NAMES, examples, plain, short
from stages.reading.packed import compression_of
from stages.reading.regular_files import open_file
from stages.reading.system_files import in_system_folder

DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, RecursionError, EOFError),
    *(OSError, ValueError, OverflowError, LookupError),  # zipfile and tarfile raise these for headers with odd numbers
)
ARCHIVES = {  # by the first bytes, because the file's name may be wrong
    "zip": re.compile(rb"PK(\x03\x04|\x05\x06)"),
    "tar": re.compile(rb"(?s).{257}ustar"),
    "7z": re.compile(rb"7z\xbc\xaf\x27\x1c"),
    "rar": re.compile(rb"Rar!\x1a\x07"),
}
START = 262  # bytes that tell what a file is
CHUNK = 1 << 20  # bytes
MOST_LINKS = 40  # of a tar, from link to link
MOST_MEMBERS = 2_000_000  # of an archive; zipfile and tarfile keep about a kilobyte of each
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
        raise DataError(f"{name} is compressed twice (now {compression}). Unpack it yourself, and give that file.")
    archive = next((kind for kind, magic in ARCHIVES.items() if magic.match(start)), None)
    if archive in ("zip", "tar") and not in_archive:
        raise DataError(
            f"{name} is a {archive} file. Name the file in it as `member` in download.dataset.files. "
            "For a workbook (xlsx), set download.dataset.format: excel."
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
                    members = _tar_members(tar, name)
                    info = members[_find_member(member, members, name)]
                    with tar.extractfile(info) or io.BytesIO() as source:
                        return _copy(source, target, f"{name}:{plain(member)}", limit)
            file.seek(0)
            if zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as packed:
                    files = dict.fromkeys(info.filename for info in packed.infolist() if not info.is_dir())
                    with packed.open(_find_member(member, files, name)) as source:
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
    """The files of a tar by name; of several with one name the last counts, as tar itself unpacks them.

    A link is the file in the archive that it leads to; one that leads out of it is left out.
    """
    members: dict[str, tarfile.TarInfo] = {}
    links: dict[str, str] = {}
    for number, info in enumerate(tar):
        if number >= MOST_MEMBERS:
            raise _too_many(name)
        member = _without_dots(info.name)
        members.pop(member, None)
        links.pop(member, None)
        if info.isfile():
            members[member] = info
        elif info.issym():
            links[member] = posixpath.normpath(posixpath.join(posixpath.dirname(member), info.linkname))
        elif info.islnk():
            links[member] = _without_dots(info.linkname)
    return members | {link: members[file] for link in links if (file := _follow(link, links)) in members}


def _follow(link: str, links: Mapping[str, str]) -> str:
    """Return where a link of an archive leads, through other links."""
    for _ in range(MOST_LINKS):
        if link not in links:
            break
        link = links[link]
    return link


def _without_dots(name: str) -> str:
    """Return the name of a member without `./` before it, with which `tar` packs a folder."""
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return name


def _find_member(member: str, present: Collection[str], name: str) -> str:
    """Return the name that a member has in the archive.

    Raises:
        DataError: The archive has no such member.
    """
    if len(present) > MOST_MEMBERS:
        raise _too_many(name)
    if member in present:
        return member
    for candidate in present:
        if _without_dots(candidate) == _without_dots(member):
            return candidate
    shown = examples([name for name in present if not in_system_folder(name)], most=NAMES, show=plain)
    raise DataError(f"{name} has no member {short(member)}. It has: {shown}. Correct `member`.")


def _too_many(name: str) -> DataError:
    return DataError(f"{name} has more than {MOST_MEMBERS:,} members. Unpack it yourself, and give the path of a file.")


def _decompress(path: Path, name: str, target: Path, limit: int) -> Path:
    with open_file(path, name) as file:
        compression = compression_of(file.read(START))
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
