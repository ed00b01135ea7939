"""Unpack what is packed: a member of a zip or tar file, and files compressed with gzip or zstd."""

import lzma
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

import pyarrow as pa

from stages.errors import DataError

COMPRESSIONS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}  # by the first bytes: names lie
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, NotImplementedError, EOFError, OSError)
CHUNK = 1 << 20  # bytes


def unpack(path: Path, *, member: str | None, name: str, scratch: Path, limit: int) -> Path:
    """Return the plain file in `path`: its member `member`, unpacked, or the file itself where it is plain.

    Args:
        path: The file as it came.
        member: Name of a file in it, folders included, where it is an archive.
        name: What the messages call it.
        scratch: Existing folder; members are written there under names of ours, so that theirs lead nowhere.
        limit: Bytes that may come out at most (a small archive can unpack to a full disk).

    Raises:
        DataError: It is damaged, encrypted, no archive, too large, or has no such member.
    """
    if member is not None:
        if not zipfile.is_zipfile(path):
            path = _decompress(path, name, scratch / "archive", limit, only="zstd")  # tarfile knows the others
        path = _extract(path, member, name, scratch / "member", limit)
        name = f"{name}:{member}"
    return _decompress(path, name, scratch / "plain", limit)


def _extract(archive: Path, member: str, name: str, target: Path, limit: int) -> Path:
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                _require_member(member, [info.filename for info in packed.infolist() if not info.is_dir()], name)
                with packed.open(member) as source:
                    return _copy(source, target, f"{name}:{member}", limit)
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                _require_member(member, [info.name for info in tar if info.isfile()], name)
                stream = tar.extractfile(member)
                if stream is None:
                    raise DataError(f"{name} member {member} is no plain file. Name another one.")
                with stream:
                    return _copy(stream, target, f"{name}:{member}", limit)
    except RuntimeError as error:  # what zipfile raises for a missing password
        raise DataError(f"{name} member {member}: {error}. Unpack it yourself and give the file's path.") from error
    except DAMAGE as error:
        raise DataError(f"{name} member {member} cannot be unpacked: {error}. Fetch the file anew.") from error
    raise DataError(f"{name} is no zip or tar file, so it has no member {member!r}. Leave out `member`.")


def _require_member(member: str, present: list[str], name: str) -> None:
    if member not in present:
        shown = ", ".join(present[:20]) + (f" and {len(present) - 20} more" if len(present) > 20 else "")
        raise DataError(f"{name} has no member {member!r}. It has: {shown or 'none'}.")


def _decompress(path: Path, name: str, target: Path, limit: int, only: str | None = None) -> Path:
    if not path.is_file():
        return path
    with path.open("rb") as file:
        start = file.read(4)
    compression = next((found for magic, found in COMPRESSIONS.items() if start.startswith(magic)), None)
    if compression is None or (only and compression != only):
        return path
    try:
        with pa.input_stream(str(path), compression=compression) as stream:
            return _copy(stream, target, name, limit)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{name} is not a readable {compression} file: {error}. Fetch the file anew.") from error


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
