"""A folder as an input: a data set that `save_to_disk` wrote, or a folder of texts, where each file is a row."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

from pipeline.prediction.records import LONGEST, Record
from stages.errors import DataError
from stages.messages import NAMES, examples, plain
from stages.reading.binary import binary_of
from stages.reading.dialect import OPTIONS, Dialect
from stages.reading.encoding_check import other_encoding
from stages.reading.encodings import HEAD
from stages.reading.lines import decode
from stages.reading.regular_files import files_below, open_file
from stages.reading.saved import SPLITS_FILE, STATE, saved_splits

COLUMNS = ["id", "text"]  # of a folder of texts


class FolderFiles(io.BytesIO):
    """A folder's files as a stream of their names and checksums, so that a resumed run sees a change.

    Args:
        folder: The folder.
        file_format: From `folder_format`.

    Attributes:
        folder: The folder.
        files: Its files with rows, in order.

    Raises:
        DataError: It has no files, or one that can't be read, or is a link out of the folder.
    """

    def __init__(self, folder: Path, file_format: str) -> None:
        below = files_below(folder, str(folder), watched=folder, settings=OPTIONS).files
        self.folder, self.files = folder, _of_saved(folder) if file_format == "arrow" else below
        if not self.files:
            raise DataError(f"{folder} has no files, or only hidden ones. Give a folder of text files with --file.")
        super().__init__("".join(f"{self.name_of(path)}\n" for path in self.files).encode("utf-8", "surrogateescape"))

    def name_of(self, path: Path) -> str:
        """Return a file's path in the folder."""
        return path.relative_to(self.folder).as_posix()

    def digest(self) -> str:
        """Return a hash of the files' names and contents."""
        whole = hashlib.sha256()
        for path in self.files:
            with open_file(path, str(path), OPTIONS) as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            whole.update(f"{content} {self.name_of(path)}\n".encode("utf-8", "surrogateescape"))
        return whole.hexdigest()

    def texts(self, dialect: Dialect) -> Iterator[Record]:
        """Yield a row for each file: its path and its text."""
        for path in self.files:
            name, text, problem = self.name_of(path), "", None
            with open_file(path, str(path), OPTIONS) as file:
                stream, head = decode(file, dialect), file.read(HEAD)
                binary, other = binary_of(head), other_encoding(head, dialect.encoding)
                file.seek(0)
                try:
                    if binary:
                        problem = f"the file is {binary.what}, not text"
                    elif other:
                        problem = f"the file is {other.upper()}, not {dialect.encoding}"
                    else:
                        text = stream.read(LONGEST + 1)
                except UnicodeError as error:
                    problem = f"the file is not {dialect.encoding}: {error}"
            if len(text) > LONGEST:
                text, problem = "", f"the file is longer than {LONGEST:,} characters"
            yield Record([name, text], problem, len(name) + len(text))


def is_folder(file: str) -> bool:
    """Return whether a path names a folder."""
    try:
        return Path(file).is_dir()
    except (OSError, ValueError, RuntimeError):  # a name that is too long: `open_file` says so
        return False


def folder_format(folder: Path, said: str | None) -> str:
    """Return how a folder is read: arrow where `save_to_disk` wrote it, else folders, a text per file.

    Args:
        folder: The folder.
        said: What --format says.

    Raises:
        DataError: A folder can't be in that format.
    """
    saved = (folder / STATE).exists() or (folder / SPLITS_FILE).exists()
    if said not in (None, "folders", "arrow") or (said == "arrow" and not saved):
        raise DataError(f"--file {folder} is a folder. Give a file, or for a folder of text files leave out --format.")
    return said or ("arrow" if saved else "folders")


def _of_saved(folder: Path) -> list[Path]:
    splits = saved_splits(folder, str(folder))
    if len(splits) != 1:
        names = [str(split.name) for split in splits]
        raise DataError(
            f"{folder} has {len(names)} splits: {examples(names, most=NAMES, show=plain)}. Give one: --file "
            f"{folder}/{names[-1] if names else 'SPLIT'}"
        )
    return list(splits[0].files)
