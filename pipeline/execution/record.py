"""What dvc.lock records of a stage whose inputs were edited while it ran.

DVC reads the inputs when the command has ended. Whoever edits params.yaml meanwhile for the next run would have the
result of the old values recorded as that of the new ones, and restored as such for ever.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.execution.stage_process import LOGS
from pipeline.planning.plan import StagePlan
from pipeline.planning.reasons import value_changes
from pipeline.repository.graph import LockEntry
from pipeline.repository.lock import hold_dvc, merge_lock, parse_entry, read_lock, remove_entries, with_inputs
from pipeline.repository.opening import open_repo
from pipeline.repository.snapshot import MISSING
from pipeline.repository.storage.store import Store
from stages.parent import INPUTS_READ

COARSE = 0.1  # seconds by which a file system's clock may be late


class Recording:
    """Watches the inputs of one run of a stage.

    Args:
        root: The project's folder.
        plan: The stage as planned, with the inputs that it has.
    """

    def __init__(self, root: Path, plan: StagePlan) -> None:
        self._root = root
        self._plan = plan
        self._began = time.time() - COARSE
        self._read = root / LOGS / f"{plan.stage}.read"  # the stage touches it when it has read its parameters
        self._read.unlink(missing_ok=True)

    def variables(self) -> dict[str, str]:
        """The variables by which the stage tells when it has read its inputs."""
        return {INPUTS_READ: str(self._read)}

    def correct(self) -> str:
        """Have dvc.lock record what the stage ran with; return what was done about it, empty if nothing.

        If an input was edited before the stage had read it, or nobody knows when that was, nothing is recorded.
        """
        name = self._plan.stage
        with open_repo(self._root) as repo, hold_dvc(repo):
            raw = read_lock(self._root).get(name)
            edited = {} if raw is None else self._edited(parse_entry(raw))
            if raw is None or not edited:
                return ""
            store = Store(repo, self._root)
            store.forget(raw, since=self._began)
            what = ", ".join(edited)
            if self._read.exists() and min(edited.values()) > self._read.stat().st_mtime:
                own = with_inputs(raw, self._plan.deps, self._plan.params)
                merge_lock(self._root, {name: own})
                store.remember(own)
                return f"Edited while {name} ran: {what}. dvc.lock records what it ran with"
            remove_entries(self._root, [name])
        return f"Edited while {name} began: {what}. The result may be of either, so it is not recorded"

    def _edited(self, recorded: LockEntry) -> dict[str, float]:
        """The inputs that are not recorded as planned, and were changed since the start: when."""
        planned = self._plan
        files = {path: path for path, digest in planned.deps.items() if recorded.deps.get(path) != digest}
        for file, values in planned.params.items():
            now = recorded.params.get(file, {})
            lines = [line for key, value in values.items() for line in value_changes(key, value, now.get(key, MISSING))]
            if lines:
                files[", ".join(lines)] = file
        changes = {what: max(_changes(self._root / path), default=time.time()) for what, path in files.items()}
        return {what: changed for what, changed in changes.items() if changed >= self._began}


def _changes(path: Path) -> Iterator[float]:
    """When a file, or a folder and what is below it, was last changed or moved there, in seconds since 1970."""
    for one in (path, *(path.rglob("*") if path.is_dir() else ())):
        if one.exists():
            yield one.stat().st_ctime
