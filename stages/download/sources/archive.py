"""Unpack a member of a zip or tar file, and files compressed with gzip or zstd."""

import lzma
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

import pyarrow as pa

from stages.errors import DataError

COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
}  # by the first bytes, because the file's name may be wrong
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, NotImplementedError, EOFError, OSError)
CHUNK = 1 << 20  # bytes


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
                    raise DataError(f"{name} member {member} is not a plain file. Name another member.")
                with stream:
                    return _copy(stream, target, f"{name}:{member}", limit)
    except RuntimeError as error:  # what zipfile raises for a missing password
        raise DataError(
            f"{name} member {member}: {error}. Unpack it yourself, and give the path of the file."
        ) from error
    except DAMAGE as error:
        raise DataError(f"{name} member {member} can't be unpacked: {error}. Fetch the file again.") from error
    raise DataError(f"{name} is not a zip or tar file, so it has no member {member!r}. Delete `member`.")


def _require_member(member: str, present: list[str], name: str) -> None:
    if member not in present:
        shown = ", ".join(present[:20]) + (f" and {len(present) - 20} more" if len(present) > 20 else "")
        raise DataError(f"{name} has no member {member!r}. It has: {shown or 'none'}. Correct `member`.")


def _decompress(path: Path, name: str, target: Path, limit: int, only: str | None = None) -> Path:
    if not path.is_file():
        return path
    with path.open("rb") as file:
        start = file.read(4)
    compression = next((name for magic, name in COMPRESSIONS.items() if start.startswith(magic)), None)
    if compression is None or (only and compression != only):
        return path
    try:
        with pa.input_stream(str(path), compression=compression) as stream:
            return _copy(stream, target, name, limit)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{name} can't be read as {compression}: {error}. Fetch the file again.") from error


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
