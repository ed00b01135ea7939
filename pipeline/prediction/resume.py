"""The windows of a long run that are done, each in a file, so that a run that is killed goes on where it was."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stages.errors import DataError
from stages.files import TEMPORARY, remove_folder, replace_file, write_json

IDENTITY = "run.json"


class Counts(NamedTuple):
    """What the windows so far hold."""

    rows: int = 0
    errors: int = 0  # rows with an error
    cut: int = 0  # texts that were cut


class Parts:
    """The folder OUT.partial beside the file to be written.

    Args:
        out: The file to be written.
        identity: What must be the same for a run to go on: hashes of the input and of the model, and the options.
        resume: Go on with the windows that an interrupted run has left, or start over?

    Raises:
        DataError: The windows there belong to another run.
    """

    def __init__(self, out: Path, identity: Mapping[str, object], *, resume: bool) -> None:
        self.out = out
        self.folder = partial_of(out)
        if resume and (self.folder / IDENTITY).is_file():
            _check_same(self.folder / IDENTITY, identity)
        else:
            remove_folder(self.folder)
            write_json(self.folder / IDENTITY, identity)

    @property
    def files(self) -> Sequence[Path]:
        """One per window, in order: the name holds the counts so far."""
        return sorted(self.folder.glob("*.part"))

    @property
    def counts(self) -> Counts:
        files = self.files
        return Counts(*map(int, files[-1].stem.split("-"))) if files else Counts()

    def add(self, data: bytes, counts: Counts) -> None:
        """Keep one window; `counts` holds those before it too."""
        name = "-".join(f"{count:015d}" for count in counts)
        with replace_file(self.folder / f"{name}.part") as temporary:
            temporary.write_bytes(data)

    def finish(self, join: Callable[[Sequence[Path], Path], None]) -> None:
        """Make the file of the windows, whole or not at all, and remove them."""
        whole = self.folder / "whole"
        join(self.files, whole)
        whole.replace(self.out)
        remove_folder(self.folder)


def partial_of(out: Path) -> Path:
    """Return the folder of the windows of a file that is not finished."""
    return out.with_name(out.name + TEMPORARY)


def _check_same(path: Path, identity: Mapping[str, object]) -> None:
    before = json.loads(path.read_text(encoding="utf-8"))
    changed = [key for key in {**before, **identity} if before.get(key) != identity.get(key)]
    if changed:
        raise DataError(
            f"{path.parent} is of a run with another {', another '.join(changed)}. Give what it had, or start over "
            "without --resume."
        )
