"""The finished windows of a run, each in a file, so that a run that was killed can be resumed."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stages.errors import DataError
from stages.files import TEMPORARY, remove_folder, replace_file, write_json

IDENTITY = "run.json"


class Counts(NamedTuple):
    """Counts over the finished windows."""

    rows: int = 0
    errors: int = 0  # rows that got an error
    cut: int = 0  # texts that were cut


class PartialOutput:
    """The folder OUT.partial, which holds the finished windows until the file OUT is complete.

    Args:
        out: The file to write.
        identity: What must be equal for a run to be resumed: hashes of the input and of the model, and the options.
        resume: Keep the windows of an interrupted run, or start over?

    Raises:
        DataError: The folder is of a run with another identity.
    """

    def __init__(self, out: Path, identity: Mapping[str, object], *, resume: bool) -> None:
        self.out = out
        self.folder = partial_folder(out)
        if resume and (self.folder / IDENTITY).is_file():
            _check_same(self.folder / IDENTITY, identity)
        else:
            remove_folder(self.folder)
            write_json(self.folder / IDENTITY, identity)

    @property
    def files(self) -> Sequence[Path]:
        """A file per finished window, in order; its name holds the counts up to it."""
        return sorted(self.folder.glob("*.part"))

    @property
    def counts(self) -> Counts:
        """Counts over the finished windows."""
        files = self.files
        return Counts(*map(int, files[-1].stem.split("-"))) if files else Counts()

    def add(self, data: bytes, counts: Counts) -> None:
        """Add the bytes of a window; `counts` are those up to it."""
        name = "-".join(f"{count:015d}" for count in counts)
        with replace_file(self.folder / f"{name}.part") as temporary:
            temporary.write_bytes(data)

    def finish(self, join: Callable[[Sequence[Path], Path], None]) -> None:
        """Join the windows to the file OUT, and remove the folder."""
        whole = self.folder / "whole"
        join(self.files, whole)
        whole.replace(self.out)
        remove_folder(self.folder)


def partial_folder(out: Path) -> Path:
    """Return the folder of the finished windows of `out`."""
    return out.with_name(out.name + TEMPORARY)


def _check_same(path: Path, identity: Mapping[str, object]) -> None:
    before = json.loads(path.read_text(encoding="utf-8"))
    changed = [key for key in {**before, **identity} if before.get(key) != identity.get(key)]
    if changed:
        raise DataError(
            f"{path.parent} belongs to a run with a different {', a different '.join(changed)}. Use the same, or start "
            "over without --resume."
        )
