"""Copies a stage's checkpoints to the DVC remote as they appear, so that another worker resumes after a crash.

The stage knows nothing of it: it writes whole files under `.retune/checkpoints`. Files lie in the remote under the
SHA-256 of their bytes and the index, which names them, is written last: a copy that was interrupted changes nothing.
"""

import json
import logging
import threading
from pathlib import Path

from pipeline.repository.remote import Remote
from stages.errors import PipelineError
from stages.files import TEMPORARY, replace_file, sha256
from stages.paths import Paths

INDEX = "index.json"
SECONDS = 3.0  # between two looks at the folder
log = logging.getLogger(__name__)


class Mirror:
    """The checkpoints of one stage with one set of inputs, here and in the remote.

    Args:
        remote: The DVC remote.
        root: The project's folder.
        key: The stage's run-cache key.
    """

    def __init__(self, remote: Remote, root: Path, key: str) -> None:
        self._remote = remote
        self._folder = Paths(root).checkpoints
        self._base = remote.path("checkpoints", key)
        self._copied: dict[str, str] = {}  # path here -> SHA-256 in the remote
        self._seen: dict[str, tuple[int, int]] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep_copying, name="checkpoints", daemon=True)

    def restore(self) -> list[str]:
        """Bring the newest complete copy; return the paths. One that is damaged is left out as a whole."""
        try:
            index = json.loads(self._remote.fs.read_text(self._path(INDEX), encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return []
        damaged = [name for name, digest in index.items() if not self._fetch(name, digest)]
        if damaged:
            log.warning("The checkpoint %s is damaged: starting without it.", ", ".join(damaged))
            for name in index:
                (self._folder / name).unlink(missing_ok=True)
            return []
        return sorted(index)

    def start(self) -> None:
        """Copy what appears, from now on, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Copy no more."""
        self._end.set()
        if self._thread.ident:
            self._thread.join()

    def remove(self) -> None:
        """Remove the copies: the stage is done."""
        for path in self._remote.files(self._base):
            self._remote.remove(path)

    def copy(self) -> bool:
        """Copy what is new; return whether there was anything."""
        files = {path.relative_to(self._folder).as_posix(): path for path in self._files()}
        marks = {name: _mark(path) for name, path in files.items()}
        if marks == self._seen:
            return False
        copied = {}
        for name, path in files.items():
            known = marks[name] == self._seen.get(name)
            copied[name] = self._copied[name] if known else self._copy_file(path, marks[name])
        self._remote.write(self._path(INDEX), json.dumps(copied, indent=2).encode())
        for digest in set(self._copied.values()) - set(copied.values()):  # our own alone: another may write here too
            self._remote.remove(self._path(digest))
        self._copied, self._seen = copied, marks
        return True

    def _fetch(self, name: str, digest: str) -> bool:
        with replace_file(self._folder / name) as temporary:
            try:
                self._remote.fs.get_file(self._path(digest), str(temporary))
            except FileNotFoundError:
                temporary.touch()
            return sha256(temporary) == digest

    def _copy_file(self, path: Path, mark: tuple[int, int]) -> str:
        digest = sha256(path)
        target = self._path(digest)
        if not self._remote.fs.exists(target):
            self._remote.write(target, path)
        if _mark(path) != mark:  # replaced meanwhile: what was copied may be half of each
            self._remote.remove(target)
            raise OSError(f"{path.name} has changed while it was copied")
        return digest

    def _keep_copying(self) -> None:
        while not self._end.wait(SECONDS):
            try:
                self.copy()
            except (OSError, PipelineError) as error:  # a file that is just being replaced, or a remote that is away
                log.warning("Checkpoints were not copied this time: %s", error)

    def _files(self) -> list[Path]:
        return [path for path in sorted(self._folder.rglob("*")) if path.is_file() and path.suffix != TEMPORARY]

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}"


def _mark(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size
