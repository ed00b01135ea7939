"""Bring one source file to disk: a local path as it lies there, a URL through a temporary file; checked by its hash."""

from dataclasses import dataclass
from pathlib import Path

from stages.download.transfer import download
from stages.errors import DataError
from stages.files import sha256 as sha256_of


@dataclass(frozen=True)
class Fetched:
    """A source file on disk, with what source.json says of it."""

    path: Path
    sha256: str
    bytes: int

    def verify(self, source: str, sha256: str | None) -> None:
        """Compare the file with its pin.

        Raises:
            DataError: `sha256` is given and is not the file's.
        """
        if sha256 not in (None, self.sha256):
            raise DataError(
                f"{source} has SHA-256 {self.sha256}, but download.dataset.files pins {sha256}. "
                "It is not the file you meant, or it has changed: fetch it anew, or pin the new one."
            )


def fetch(source: str, *, root: Path, folder: str, scratch: Path) -> Fetched:
    """Return the file that `source` names.

    Args:
        source: A path under `folder`, or an http(s) URL.
        root: Folder that relative paths start at.
        folder: Folder or file that DVC watches for changes of local sources.
        scratch: Existing folder for what is downloaded.

    Raises:
        DataError: There is no such file, or it can't be fetched.
    """
    if source.startswith(("http://", "https://")):
        path = download(source, scratch / "source")
    elif "://" in source:
        raise DataError(f"download.dataset.files: the source {source} is neither a path nor an http(s) URL.")
    else:
        path = _local(source, root, folder)
    return Fetched(path, sha256_of(path), path.stat().st_size)


def _local(source: str, root: Path, folder: str) -> Path:
    path = root / source
    if not path.resolve().is_relative_to((root / folder).resolve()):
        raise DataError(
            f"{source} does not lie under download.dataset.folder, which is {folder}: DVC would not see it change. "
            f"Set download.dataset.folder: {Path(source).parent.as_posix()}"
        )
    if path.is_dir():
        raise DataError(f"{source} is a folder. Name the files in it, one entry of download.dataset.files each.")
    if not path.is_file():
        raise DataError(f"{source} is missing. Mend download.dataset.files, or put the file there.")
    return path
