"""Bring a source to disk: local files are used where they are, others are downloaded."""

import hashlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.download.sources.http import download
from stages.download.sources.local import find_local
from stages.download.sources.object_stores import STORES, fetch_from_store
from stages.errors import DataError
from stages.git_lfs import START, WHAT, is_pointer
from stages.messages import examples, plain
from stages.reading.regular_files import files_below, open_file, unreadable
from stages.redaction import redact_shapes

logger = logging.getLogger(__name__)
WEB_PAGE = (b"<!doctype html", b"<html")


@dataclass(frozen=True)
class Fetched:
    """A source file or folder on disk, and what source.json says of it: a source without secrets."""

    source: str
    path: Path
    sha256: str
    bytes: int
    skipped: int | None = None  # files of a folder that are hidden or of the system; None: it is a file

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
        for name, path in find_local(source, root=root, watched=watched):
            yield _describe(name, path, watched=root / watched)
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
    yield _describe(redact_shapes(source), target)


def _describe(source: str, path: Path, *, watched: Path | None = None) -> Fetched:
    if not path.is_dir():
        sha256, size = _checksum(path, source)
        return Fetched(source, path, sha256, size)
    digest, total = hashlib.sha256(), 0
    files, skipped = files_below(path, source, watched=watched)
    if skipped:
        shown = examples([file.relative_to(path).as_posix() for file in skipped], show=plain)
        logger.warning("%s: hidden and system files are not read (%d): %s", source, len(skipped), shown)
    for file in files:
        relative = file.relative_to(path).as_posix()
        sha256, size = _checksum(file, f"{source}/{relative}")
        digest.update(f"{sha256}  ".encode() + os.fsencode(relative) + b"\n")  # what `sha256sum` prints for the files
        total += size
    return Fetched(source, path, digest.hexdigest(), total, skipped=len(skipped))


def _checksum(path: Path, name: str) -> tuple[str, int]:
    """Return the SHA-256 of a file and its size in bytes."""
    with open_file(path, name) as file:
        try:
            if is_pointer(file.peek(len(START))):
                raise DataError(f"{name} is {WHAT}")
            return hashlib.file_digest(file, "sha256").hexdigest(), os.fstat(file.fileno()).st_size
        except OSError as error:  # a disk that fails
            raise unreadable(name, error) from error
