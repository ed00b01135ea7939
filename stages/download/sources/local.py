"""Local sources: a path, or a pattern and the files that match it."""

import logging
import os
from collections.abc import Iterator
from itertools import accumulate, takewhile
from pathlib import Path

from stages.download.readers.record import encodable
from stages.errors import DataError
from stages.messages import examples, plain, short
from stages.reading.regular_files import refuse_link_outside, unreadable
from stages.reading.system_files import in_system_folder, is_system_file
from stages.redaction import redact_shapes

logger = logging.getLogger(__name__)


def find_local(source: str, *, root: Path, watched: str) -> Iterator[tuple[str, Path]]:
    """Yield the name and the path of the file or folder at `source`; of a pattern, those of the files that match.

    Args:
        source: A path or a glob pattern in `watched`; a name that exists is no pattern.
        root: Folder that relative paths start from.
        watched: Folder or file that DVC watches.

    Raises:
        DataError: It is no path, is outside `watched` or leads out of it by a link, is missing, or a name can't be
            written as UTF-8.
    """
    for value in (source, watched):
        if not value or "\0" in value or not encodable(value):
            raise DataError(
                f"download.dataset: {short(value)} is not a path: it is empty, or has characters that a path can't "
                "have. Correct download.dataset.files or download.dataset.folder."
            )
    try:
        for name, path in _matches(source, root, watched):
            if not encodable(name):
                raise DataError(f"The name of {short(name)} is not UTF-8. Rename the file.")
            refuse_link_outside(path, name, root / watched)
            yield name, path
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        raise unreadable(plain(source), error) from error
    except ValueError as error:
        raise DataError(f"{source} is not a pattern: {error}. Correct download.dataset.files.") from error


def _matches(source: str, root: Path, watched: str) -> Iterator[tuple[str, Path]]:
    path, parts = root / source, Path(source).parts
    fixed = _fixed(source, root)
    folder = root.joinpath(*fixed)
    _require_watched(folder, source, root, watched)
    if path.exists() or len(fixed) == len(parts):
        if not path.exists():
            raise DataError(f"{source} is missing. Correct download.dataset.files, or put the file there.")
        yield source, path
        return
    matches = [match for match in folder.glob(str(Path(*parts[len(fixed) :]))) if not match.is_dir()]
    matches, skipped = _without_system_files(matches, folder, parts[len(fixed) :])
    if skipped:
        shown = examples(skipped, show=plain)
        logger.warning("%s: hidden and system files are not read (%d): %s", source, len(skipped), shown)
    if not matches:
        raise DataError(f"{source} matches no file. Correct the pattern in download.dataset.files.")
    for match in sorted(matches):
        yield (match if Path(source).is_absolute() else match.relative_to(root)).as_posix(), match


def _without_system_files(matches: list[Path], folder: Path, pattern: tuple[str, ...]) -> tuple[list[Path], list[str]]:
    """Return the matches of a pattern that are data, and the names of the others; the pattern itself can name some."""
    if any(is_system_file(part) for part in pattern):
        return matches, []
    names = {match: match.relative_to(folder).as_posix() for match in matches}
    data = [match for match in matches if not in_system_folder(names[match])]
    return data, sorted(names[match] for match in names.keys() - set(data))


def _require_watched(path: Path, source: str, root: Path, watched: str) -> None:
    """Check that DVC sees what is at `path` when it hashes `watched`.

    It reads the files that links in the folder lead to, but goes into no folder behind a link.
    """
    folder = root / watched
    real = folder.resolve()
    if path.resolve().is_relative_to(real) or (not path.is_dir() and path.parent.resolve().is_relative_to(real)):
        return
    if Path(os.path.normpath(path)).is_relative_to(os.path.normpath(folder)):
        raise DataError(
            f"{source} is behind a link to a folder. DVC watches {watched} but does not follow such links, so it "
            f"would not notice a change. Set download.dataset.folder: {_link_to_folder(path, source, root)}"
        )
    raise DataError(
        f"{source} is not in download.dataset.folder, which is {watched}, so DVC would not notice a change. Set "
        f"download.dataset.folder: {Path(redact_shapes(source)).parent.as_posix()}"
    )


def _link_to_folder(path: Path, source: str, root: Path) -> str:
    """Return the nearest linked folder on the way to a path, as the source names it."""
    names = Path(*_fixed(source, root))
    ways = zip([names, *names.parents], [path, *path.parents], strict=False)
    return next((name for name, place in ways if place.is_symlink() and place.is_dir()), names.parent).as_posix()


def _fixed(source: str, root: Path) -> list[str]:
    """Return the parts of a path before the first that is a pattern; what exists by this very name is none."""
    parts = Path(source).parts
    paths = accumulate(parts, Path.joinpath, initial=root)
    next(paths)
    return [
        part
        for part, _ in takewhile(lambda way: not _is_pattern(way[0]) or way[1].exists(), zip(parts, paths, strict=True))
    ]


def _is_pattern(part: str) -> bool:
    return any(character in part for character in "*?[")
