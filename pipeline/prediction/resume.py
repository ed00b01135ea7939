"""The finished windows of a run, each in a file, so that a run that was killed can be resumed."""

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from stages.errors import DataError, refusal
from stages.files import TEMPORARY, follow_link, replace_file, take_permissions, write_json

IDENTITY = "run.json"

Identity = Mapping[str, object]  # what must be equal for a run to be resumed, by the name that messages give it


class Counts(NamedTuple):
    """Counts over the finished windows."""

    rows: int = 0
    errors: int = 0  # rows that got an error
    cut: int = 0  # texts that were cut


class PartialOutput:
    """The folder OUT.partial, which holds the finished windows until the file OUT is complete; a context manager.

    What an earlier run left is replaced when the first window is added, so a run that is refused changes nothing.

    Args:
        out: The file to write; of a link, the file that it leads to.
        identity: Hashes of the input and of the model, and the options.
        resume: Keep the windows of an interrupted run, or start over?

    Attributes:
        finished: Is `out` already what this run would write?

    Raises:
        DataError: The windows, or the file `out`, are of a run with another identity.
    """

    def __init__(self, out: Path, identity: Identity, *, resume: bool) -> None:
        self.out = out = follow_link(out)
        self.folder = partial_folder(out)
        self.finished = False
        self._identity = identity
        self._lock = -1
        self._resumes = resume and (self.folder / IDENTITY).is_file()
        if self._resumes:
            _check_same(read_record(self.folder / IDENTITY), identity, whose=self.folder)
        elif resume and out.exists():
            _check_same(_finished_run(out), identity, whose=out)
            self.finished = True

    def __enter__(self) -> "PartialOutput":
        with _writing(self.out):
            self.folder.mkdir(mode=0o700, exist_ok=True)  # whoever may not read OUT must not read its rows here
            self._lock = os.open(self.folder, os.O_RDONLY)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process, however it ends
            except BlockingIOError as error:
                os.close(self._lock)
                raise DataError(
                    f"Another run is writing {self.out}. Wait for it, or give --out another name."
                ) from error
            for path in self._parts()[len(self.files) :]:  # else they would be joined with those that take their place
                path.unlink()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self.folder.rmdir()  # only where nothing is in it
        os.close(self._lock)

    @property
    def files(self) -> Sequence[Path]:
        """A file per finished window, in order, up to one that is not whole, as a machine that lost power leaves it.

        A name holds the counts up to the window, and the bytes of the file.
        """
        return list(itertools.takewhile(_is_whole, self._parts()))

    def _parts(self) -> list[Path]:
        return sorted(self.folder.glob("*.part")) if self._resumes else []

    @property
    def counts(self) -> Counts:
        """Counts over the finished windows."""
        files = self.files
        return Counts(*_numbers(files[-1])[:-1]) if files else Counts()

    def add(self, data: bytes, counts: Counts) -> None:
        """Add the bytes of a window; `counts` are those up to it."""
        name = "-".join(f"{number:015d}" for number in (*counts, len(data)))
        with _writing(self.out):
            self._start()
            with replace_file(self.folder / f"{name}.part") as temporary:
                temporary.write_bytes(data)

    def finish(self, join: Callable[[Sequence[Path], Path], None]) -> None:
        """Join the windows to the file OUT, and remove the folder."""
        whole = self.folder / "whole"
        with _writing(self.out):
            self._start()
            join(self.files, whole)
            take_permissions(whole, self.out)
            whole.replace(self.out)
            shutil.rmtree(self.folder)
        remember(self.out, self._identity)

    def _start(self) -> None:
        """Replace what an earlier run left, once."""
        if not self._resumes:
            for path in self.folder.iterdir():
                path.unlink()
            write_json(self.folder / IDENTITY, self._identity)
            self._resumes = True


def _numbers(part: Path) -> list[int]:
    return [int(number) for number in part.stem.split("-")]


def _is_whole(part: Path) -> bool:
    numbers = _numbers(part)
    return len(numbers) == len(Counts._fields) + 1 and part.stat().st_size == numbers[-1]


def partial_folder(out: Path) -> Path:
    """Return the folder of the finished windows of `out`."""
    return out.with_name(out.name + TEMPORARY)


def remember(out: Path, identity: Identity) -> None:
    """Remember for a later --resume which run wrote `out`; where that can't be written, it is not known then."""
    with contextlib.suppress(OSError, RuntimeError):
        write_json(memory_of(out), {"file": _stamp(out), "run": identity})


def memory_of(out: Path) -> Path:
    """Return the file, outside the folder of `out`, that says which run wrote it.

    Raises:
        RuntimeError: The user has no home.
    """
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    return state / "retune/predictions" / f"{hashlib.sha256(os.fsencode(out.resolve())).hexdigest()}.json"


def read_record(path: Path) -> Any:
    """Return the value of a JSON file; None where there is none, or it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _finished_run(out: Path) -> Any:
    """Return the identity of the run that wrote `out` as it is; None where it is not known."""
    with contextlib.suppress(RuntimeError):
        memory = read_record(memory_of(out))
        if isinstance(memory, dict) and memory.get("file") == _stamp(out):
            return memory.get("run")
    return None


def _stamp(out: Path) -> list[int]:
    status = out.stat()
    return [status.st_size, status.st_mtime_ns]


def _check_same(before: Any, identity: Identity, *, whose: Path) -> None:
    if not isinstance(before, dict):
        raise DataError(
            f"{whose} can't be resumed: it does not say which input, model and options it belongs to. Start over "
            "without --resume, or give --out another name."
        )
    changed = [key for key in {**before, **identity} if before.get(key) != identity.get(key)]
    if changed:
        raise DataError(
            f"{whose} belongs to a run with a different {', a different '.join(changed)}. Use the same, or start "
            "over without --resume."
        )


@contextlib.contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Turn what the system refuses into one line."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"--out {out} can't be written: {refusal(error, 'give another place')} --resume goes on after the "
            "finished rows."
        ) from error
