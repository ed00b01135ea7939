"""The project's own files, its git repository, and what runs have left in the folder."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from pipeline.diagnosis.finding import Finding
from pipeline.execution.killed_runs import USERS, half_files, leftover_processes, users_alive
from pipeline.execution.workspace import active_run
from pipeline.repository import git
from pipeline.repository.project import Project
from stages.params import read_params

REPAIR = "retune run"  # repairs it before its first stage


def check_params(root: Path) -> Iterator[Finding]:
    """Read params.yaml, dvc.yaml and dvc.lock as a plan reads them."""
    params = read_params(root / "params.yaml")
    yield Finding("params.yaml", "ok", f"valid, {len(params.seeds)} seed{'s' if len(params.seeds) > 1 else ''}")


def check_graph(root: Path) -> Iterator[Finding]:
    """Read dvc.yaml and dvc.lock, and find what no stage owns any more."""
    with Project(root) as project:
        count = len(project.graph.stages)
        stale = [*project.orphans(), *(path for path in project.leftovers() if (root / path).exists())]
    yield Finding("dvc.yaml", "ok", f"{count} stages; dvc.lock is valid")
    if stale:
        yield Finding("leftovers", "note", f"no stage writes {', '.join(stale[:5])} any more", REPAIR)


def check_git(root: Path) -> Iterator[Finding]:
    """Look at what commits, comparisons and workers need of git."""
    version = git.run(root, "version").removeprefix("git version ")
    yield Finding("git", "ok", version)
    if not git.setting(root, "user.email"):
        fix = 'git config --global user.name "YOUR NAME" && git config --global user.email YOU@EXAMPLE.COM'
        yield Finding("git", "note", "has no user.email, so results can't be committed", fix)
    if git.run(root, "rev-parse", "--is-shallow-repository") == "true":
        detail = "the clone is shallow: retune compare and retune log see no earlier commits"
        yield Finding("git", "note", detail, "git fetch --unshallow")


def check_runs(root: Path) -> Iterator[Finding]:
    """Look for a run that is active here, and for what killed ones left."""
    if active := active_run(root):
        yield Finding("runs", "note", f"{active}; leftovers can be checked after it ends", "retune run --wait")
        return
    processes = leftover_processes(root)
    if processes:
        numbers = ", ".join(str(process.pid) for process in processes[:5])
        yield Finding("runs", "fail", f"a killed run left {len(processes)} processes ({numbers})", REPAIR)
    half = sorted(path.relative_to(root).as_posix() for path in half_files(root))
    if half:
        yield Finding("runs", "note", f"a killed run left half-written files: {', '.join(half[:5])}", REPAIR)
    if not processes and not half:
        yield Finding("runs", "ok", "no run is active, and killed runs left nothing behind")


def check_locks(root: Path) -> Iterator[Finding]:
    """Look at DVC's list of paths in use, in which killed commands stay.

    DVC takes those off whose process has ended, and refuses to work where the number is another process's by now.
    """
    path = root / USERS
    fix = f"rm {USERS}"
    if path.is_dir():
        yield Finding("locks", "fail", f"{USERS} is a folder", f"rm -r {USERS}")
        return
    try:
        lists = users_alive(path)
    except ValueError:
        yield Finding("locks", "fail", f"{USERS} is damaged: DVC can't work", fix)
        return
    stale = _pids(lists[0]) - _pids(lists[1]) if lists else set()
    blocking = sorted(pid for pid in stale if psutil.pid_exists(pid))
    if blocking:
        detail = f"{USERS} names process {blocking[0]}, which is not a DVC process (any more), so DVC refuses to work"
        yield Finding("locks", "fail", detail, fix)
    else:
        yield Finding("locks", "ok", "no leftover lock blocks DVC")


def _pids(users: Mapping[str, Any]) -> set[int]:
    readers = [reader for several in users["read"].values() for reader in several]
    return {int(user["pid"]) for user in (*users["write"].values(), *readers)}
