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


class Recording:
    """Watches the inputs of one run of a stage.

    Args:
        root: The project's folder.
        plan: The stage as planned, with the inputs that it has.
    """

    def __init__(self, root: Path, plan: StagePlan) -> None:
        self._root = root
        self._plan = plan
        self._read = root / LOGS / f"{plan.stage}.read"  # the stage touches it when it has read its parameters
        self._read.parent.mkdir(parents=True, exist_ok=True)
        self._read.touch()
        self._began = self._read.stat().st_mtime  # by the clock that files have
        self._read.unlink()

    def variables(self) -> dict[str, str]:
        """The variables by which the stage tells when it has read its inputs."""
        return {INPUTS_READ: str(self._read)}

    def correct(self) -> str:
        """Have dvc.lock record what the stage ran with; return what was done about it, empty if nothing.

        If an input was edited before the stage had read it, or nobody knows when that was, nothing is recorded.
        """
        name, planned = self._plan.stage, self._plan
        with open_repo(self._root) as repo, hold_dvc(repo):
            raw = read_lock(self._root).get(name)
            edited = {} if raw is None else self._edited(parse_entry(raw))
            if raw is None or not edited:
                return ""
            store = Store(repo, self._root)
            store.forget(raw, since=self._began)
            what = ", ".join(what for what, _ in edited.values())
            if self._read.exists() and min(when for _, when in edited.values()) > self._read.stat().st_mtime:
                deps = {path: digest for path, digest in planned.deps.items() if path in edited}
                own = with_inputs(raw, deps, {path: planned.params[path] for path in edited if path in planned.params})
                merge_lock(self._root, {name: own})
                store.remember(own)
                return f"Edited while {name} ran: {what}. dvc.lock records what it ran with"
            remove_entries(self._root, [name])
        return f"Edited while {name} began: {what}. The result may be of either, so it is not recorded"

    def _edited(self, recorded: LockEntry) -> dict[str, tuple[str, float]]:
        """The inputs that are not recorded as planned, and were changed since the start: what, and when."""
        planned = self._plan
        what = {path: path for path, digest in planned.deps.items() if recorded.deps.get(path) != digest}
        for file, values in planned.params.items():
            now = recorded.params.get(file, {})
            lines = [line for key, value in values.items() for line in value_changes(key, value, now.get(key, MISSING))]
            if lines:
                what[file] = ", ".join(lines)
        changes = {path: max(_changes(self._root / path), default=time.time()) for path in what}
        return {path: (what[path], when) for path, when in changes.items() if when > self._began}


def _changes(path: Path) -> Iterator[float]:
    """When a file, or a folder and what is below it, was last changed or moved there, in seconds since 1970."""
    for one in (path, *(path.rglob("*") if path.is_dir() else ())):
        if one.exists():
            yield one.stat().st_ctime
