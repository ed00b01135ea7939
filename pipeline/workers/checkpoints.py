"""Copies a stage's checkpoints to the DVC remote as they appear, so that another worker can resume after a crash.

The stage itself only writes whole files under `.retune/checkpoints`. In the remote each file is stored under the
SHA-256 of its bytes, and the index that names the files is written last, so an interrupted copy changes nothing.
"""

import json
import logging
import re
import threading
from pathlib import Path
from typing import Any

from pipeline.repository.confinement import confined
from pipeline.repository.storage.remote import Remote
from stages.errors import PipelineError
from stages.files import TEMPORARY, replace_file, sha256
from stages.paths import Paths

INDEX = "index.json"
FOLDER = Paths().checkpoints.as_posix()
SHA256 = re.compile(r"[0-9a-f]{64}")
POLL_SECONDS = 3.0  # between two checks of the folder for new files
log = logging.getLogger(__name__)


class CheckpointMirror:
    """Keeps the checkpoints of one stage with one set of inputs the same in its checkout and in the remote.

    Args:
        remote: The DVC remote.
        root: The project's folder.
        key: The stage's run-cache key.
    """

    def __init__(self, remote: Remote, root: Path, key: str) -> None:
        self._remote = remote
        self._root = root
        self._folder = Paths(root).checkpoints
        self._base = remote.path("checkpoints", key)
        self._copied: dict[str, str] = {}  # local path -> SHA-256 in the remote
        self._versions: dict[str, tuple[int, int]] = {}  # local path -> the version that was copied
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_copying, name="checkpoints", daemon=True)

    def restore(self) -> list[str]:
        """Download the newest copy and return its paths; if any file of it is damaged, download nothing."""
        try:
            index = self._check(json.loads(self._remote.fs.read_text(self._path(INDEX), encoding="utf-8")))
        except FileNotFoundError:
            return []
        except (ValueError, PipelineError) as error:
            log.warning("The checkpoint in the remote can't be used (%s): starting without it.", error)
            return []
        damaged = [name for name, digest in index.items() if not self._fetch(name, digest)]
        if damaged:
            log.warning("The checkpoint %s in the remote is damaged: starting without it.", ", ".join(damaged))
            for name in index:
                (self._folder / name).unlink(missing_ok=True)
            return []
        return sorted(index)

    def start(self) -> None:
        """Start a thread that copies new checkpoints."""
        self._thread.start()

    def stop(self) -> None:
        """Stop that thread."""
        self._stop.set()
        if self._thread.ident:
            self._thread.join()

    def remove(self) -> None:
        """Remove the copies from the remote, once the stage is done."""
        for path in self._remote.files(self._base):
            self._remote.remove(path)

    def copy(self) -> bool:
        """Copy the files that changed; return whether there were any."""
        files = {path.relative_to(self._folder).as_posix(): path for path in self._files()}
        versions = {name: _version(path) for name, path in files.items()}
        if versions == self._versions:
            return False
        copied = {}
        for name, path in files.items():
            unchanged = versions[name] == self._versions.get(name)
            copied[name] = self._copied[name] if unchanged else self._copy_file(path, versions[name])
        self._remote.write(self._path(INDEX), json.dumps(copied, indent=2).encode())
        for digest in set(self._copied.values()) - set(
            copied.values()
        ):  # only our own: another worker may write here too
            self._remote.remove(self._path(digest))
        self._copied, self._versions = copied, versions
        return True

    def _check(self, index: Any) -> dict[str, str]:
        """Return the index if every file that it names lies in the checkpoints' folder and has a SHA-256."""
        if not isinstance(index, dict) or not all(SHA256.fullmatch(str(digest)) for digest in index.values()):
            raise PipelineError(f"{INDEX} is not a list of files with their SHA-256")
        for name in index:
            confined(self._root, f"{FOLDER}/{name}", [FOLDER])
        return index

    def _fetch(self, name: str, digest: str) -> bool:
        with replace_file(self._folder / name) as temporary:
            try:
                self._remote.fs.get_file(self._path(digest), str(temporary))
            except FileNotFoundError:
                temporary.touch()
            return sha256(temporary) == digest

    def _copy_file(self, path: Path, version: tuple[int, int]) -> str:
        digest = sha256(path)
        target = self._path(digest)
        if not self._remote.fs.exists(target):
            self._remote.write(target, path)
        if _version(path) != version:  # replaced during the copy, which may hold parts of both versions
            self._remote.remove(target)
            raise OSError(f"{path.name} changed while it was copied")
        return digest

    def _keep_copying(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self.copy()
            except (OSError, PipelineError) as error:  # a file that is being replaced, or an unreachable remote
                log.warning("The checkpoints could not be copied (%s): trying again.", error)

    def _files(self) -> list[Path]:
        return [path for path in sorted(self._folder.rglob("*")) if path.is_file() and path.suffix != TEMPORARY]

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}"


def _version(path: Path) -> tuple[int, int]:
    """Modification time and size, which change when the file is replaced."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size
