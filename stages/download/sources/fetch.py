"""Bring a source to disk: local files are used where they are, others are downloaded."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.download.sources.http import download
from stages.download.sources.object_stores import STORES, fetch_from_store
from stages.errors import DataError
from stages.files import sha256 as sha256_of
from stages.redaction import redact

WEB_PAGE = (b"<!doctype html", b"<html")


@dataclass(frozen=True)
class Fetched:
    """A source file or folder on disk, and what source.json says of it: a source without secrets."""

    source: str
    path: Path
    sha256: str
    bytes: int

    def verify(self, sha256: str | None) -> None:
        """Check the file against the checksum that params.yaml pins, if any.

        Raises:
            DataError: The checksums differ.
        """
        if sha256 not in (None, self.sha256):
            raise DataError(
                f"{self.source} has SHA-256 {self.sha256}, but download.dataset.files pins {sha256}. "
                "This is a different file, or it has changed. Fetch it again, or pin the new checksum."
            )


def fetch(source: str, *, root: Path, watched: str, scratch: Path) -> Iterator[Fetched]:
    """Yield the file that `source` names; where it is a pattern, the files that match, by name.

    Args:
        source: A path or a glob pattern in `watched`, an http(s) URL, or a path in an object store.
        root: Folder that relative paths start from.
        watched: Folder or file that DVC watches; local sources must be in it.
        scratch: Existing folder for what is downloaded.

    Raises:
        DataError: No such file exists, or it can't be fetched.
    """
    scheme = source.partition("://")[0] if "://" in source else None
    if scheme is None:
        for name, path in _local(source, root, watched):
            yield _describe(name, path)
        return
    target = scratch / "source"
    if scheme in ("http", "https"):
        download(source, target)
        with target.open("rb") as file:
            if file.read(200).lstrip().lower().startswith(WEB_PAGE):
                raise DataError(f"{source} is a web page, not data. Open it in a browser: it may ask you to log in.")
    elif scheme in STORES:
        fetch_from_store(source, target)
    else:
        raise DataError(
            f"download.dataset.files: {source} has an unknown scheme. Give a path, or one of http://, https://, hf://, "
            f"{', '.join(f'{name}://' for name in STORES)}."
        )
    yield _describe(redact(source), target)


def _local(source: str, root: Path, watched: str) -> Iterator[tuple[str, Path]]:
    path = root / source
    fixed = path.parent if _is_pattern(path) else path
    while _is_pattern(fixed):
        fixed = fixed.parent
    if not fixed.resolve().is_relative_to((root / watched).resolve()):
        raise DataError(
            f"{source} is not in download.dataset.folder, which is {watched}, so DVC would not see it change. "
            f"Set download.dataset.folder: {Path(source).parent.as_posix()}"
        )
    if not _is_pattern(path) or path.exists():
        if not path.exists():
            raise DataError(f"{source} is missing. Correct download.dataset.files, or put the file there.")
        yield source, path
        return
    matches = sorted(match for match in fixed.glob(str(path.relative_to(fixed))) if match.is_file())
    if not matches:
        raise DataError(f"{source} matches no file. Correct the pattern in download.dataset.files.")
    for match in matches:
        yield (match if Path(source).is_absolute() else match.relative_to(root)).as_posix(), match


def _is_pattern(path: Path) -> bool:
    return any(character in str(path) for character in "*?[")


def _describe(source: str, path: Path) -> Fetched:
    if path.is_file():
        return Fetched(source, path, sha256_of(path), path.stat().st_size)
    digest, size = hashlib.sha256(), 0
    for file in sorted(path.rglob("*")):
        if file.is_file():  # the hash of what `sha256sum` prints for the files
            digest.update(f"{sha256_of(file)}  {file.relative_to(path).as_posix()}\n".encode())
            size += file.stat().st_size
    return Fetched(source, path, digest.hexdigest(), size)
