"""Whether local data stays as it is while it is read: DVC records it as it is afterwards."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from stages.errors import DataError

State = Mapping[Path, tuple[int, int, int]]  # file -> when it was written, its size, and its number on the disk


@contextlib.contextmanager
def unchanged(*paths: Path) -> Iterator[None]:
    """Fail if a file at one of these paths, or in a folder there, is not the same at the end of the block.

    Raises:
        DataError: One was written, added or removed meanwhile.
    """
    before = _state(paths)
    yield
    after = _state(paths)
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    if changed:
        more = f", as were {len(changed) - 1:,} more files" if len(changed) > 1 else ""
        raise DataError(f"{changed[0]} was changed while the data was read{more}. Run again once nothing writes there.")


def _state(paths: tuple[Path, ...]) -> State:
    state = {}
    for path in paths:
        for file in (path, *(path.rglob("*") if path.is_dir() else ())):
            with contextlib.suppress(OSError):  # it was removed meanwhile, or can't be read: reading it says so
                now = file.stat()
                if not file.is_dir() and not file.name.startswith("."):  # which is not read, nor hashed if DVC wrote it
                    state[file] = (now.st_mtime_ns, now.st_size, now.st_ino)
    return state
