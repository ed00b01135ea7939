"""DVC's run-cache: the key of a stage's inputs, and the reader of entries in the local cache and in a remote.

The path of an entry is `runs/<first two characters of its key>/<key>/<SHA-256 of the whole entry>`. The key covers the
command, the inputs and the names of the outputs, so it is known before the stage runs.
"""

import logging
import re
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.schema import COMPILED_LOCK_FILE_STAGE_SCHEMA
from dvc.stage.cache import _get_cache_hash
from dvc.utils.serialize import dump_yaml, parse_yaml
from voluptuous import Invalid

from pipeline.repository.confinement import check_md5
from pipeline.repository.digests import Digests
from pipeline.repository.graph import ParamValues, Stage
from pipeline.repository.lock import RawEntry, check_names, dump_digest
from pipeline.repository.storage.objects import list_files
from stages.errors import PipelineError
from stages.files import replace_file

NESTED = re.compile(r"(?:[\[{]\s*|- ){100}")  # no parameter is, and the parser in C would end the process
log = logging.getLogger(__name__)


def entry_key(entry: RawEntry) -> str:
    """The run-cache key of a lock entry."""
    return str(_get_cache_hash(dict(entry), key=True))


def entry_name(entry: RawEntry) -> str:
    """The file name of a lock entry in the run-cache."""
    return str(_get_cache_hash(dict(entry)))


def stage_key(stage: Stage, deps: Digests, params: ParamValues) -> str:
    """The run-cache key of a stage with these inputs."""
    entry: dict[str, Any] = {"cmd": stage.cmd}
    if stage.deps:
        entry["deps"] = [dump_digest(path, deps[path]) for path in sorted(stage.deps)]
    if stage.params:
        entry["params"] = {file: dict(params[file]) for file in stage.params}
    entry["outs"] = [{"path": path} for path in sorted(stage.outs)]
    return entry_key(entry)


class RunCache:
    """The run-cache of the local cache or of a remote.

    Args:
        store: The object store that holds it: DVC's legacy one (`md5-dos2unix`), local or remote.
    """

    def __init__(self, store: Any) -> None:
        self._fs = store.fs
        self._root = store.path

    def folder(self, key: str) -> str:
        """Where the entries with this key are."""
        return str(self._fs.join(self._root, "runs", key[:2], key))

    def paths(self, key: str) -> list[str]:
        """The files with this key, oldest first."""
        return sorted(list_files(self._fs, self.folder(key)), key=lambda path: (self._fs.modified(path), path))

    def remove(self, entry: RawEntry, *, since: float) -> None:
        """Remove an entry that was written after a moment, in seconds since 1970; an older one stays."""
        path = self._fs.join(self.folder(entry_key(entry)), entry_name(entry))
        if self._fs.exists(path) and self._fs.modified(path).timestamp() >= since:
            self._fs.remove(path)

    def write(self, entry: RawEntry) -> None:
        """Write an entry of the local cache, whole or not at all."""
        path = Path(self._fs.join(self.folder(entry_key(entry)), entry_name(entry)))
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(path) as target:
            dump_yaml(str(target), entry)

    def read(self, path: str) -> RawEntry | None:
        """The entry in a file; None, with a warning, if the file is damaged or was removed meanwhile."""
        try:
            with self._fs.open(path, encoding="utf-8") as file:
                text = file.read()
            if NESTED.search(text):
                raise Invalid("it is nested too deep")
            entry: RawEntry = COMPILED_LOCK_FILE_STAGE_SCHEMA(parse_yaml(text, path))
            for out in entry.get("outs") or [{}]:
                check_md5(out.get("md5"))
            check_names(entry)
            if entry_key(entry) != self._fs.name(self._fs.parent(path)):  # the key covers the paths of the outputs
                raise Invalid("it belongs to another command, other inputs or other outputs")
        except (FileNotFoundError, UnicodeDecodeError, DvcException, Invalid, PipelineError) as error:
            log.warning("Skipping a damaged run-cache entry: %s (%s)", path, error)
            return None
        return entry
