"""Clean checkouts of one commit in reusable folders (slots), so that a machine fetches each commit only once."""

import contextlib
import itertools
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.execution.workspace import end_leftovers
from pipeline.repository import git
from stages.errors import PipelineError

PARAMS_REFS = "refs/retune"  # holds commits with changed parameters until a branch contains them
REFSPECS = ("+refs/heads/*:refs/remotes/origin/*", f"+{PARAMS_REFS}/*:{PARAMS_REFS}/*")
log = logging.getLogger(__name__)


def home() -> Path:
    """The folder of this machine's checkouts and DVC cache: RETUNE_HOME, by default ~/.cache/retune."""
    return Path(os.environ.get("RETUNE_HOME") or Path.home() / ".cache/retune").absolute()


@contextlib.contextmanager
def slot(repository: str, commit: str, *, kind: str, cache: Path | None = None) -> Iterator[Path]:
    """Yield a folder that holds exactly the commit; no other process uses it while the block lasts.

    Args:
        repository: URL or path of the git repository.
        commit: Its full SHA.
        kind: `stage` or `coordinator`; each kind has slots of its own.
        cache: DVC cache to use; None: the slot's own.

    Raises:
        PipelineError: The repository can't be reached or does not have the commit, or git could take one of the two
            for an option.
    """
    git.check_repository(repository)
    git.check_commit(commit)
    slots = home() / "slots"
    slots.mkdir(parents=True, exist_ok=True)
    for number in itertools.count():
        root = slots / f"{kind}-{number}"
        lock = FileLock(slots / f"{kind}-{number}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue
        with lock:
            lock.release()  # `with` acquired it a second time
            end_leftovers(root)
            _check_out(root, repository, commit)
            if cache:
                (root / ".dvc/config.local").write_text(f"[cache]\n    dir = {cache}\n", encoding="utf-8")
            yield root
        return


def _check_out(root: Path, repository: str, commit: str) -> None:
    try:
        _try_check_out(root, repository, commit)
    except PipelineError as error:
        log.warning("The checkout %s is unusable (%s): cloning again.", root, error)
        shutil.rmtree(root, ignore_errors=True)
        _try_check_out(root, repository, commit)


def _try_check_out(root: Path, repository: str, commit: str) -> None:
    if not (root / ".git").is_dir():
        root.mkdir(parents=True, exist_ok=True)
        git.run(root, "init", "--quiet")
    (root / ".git/index.lock").unlink(missing_ok=True)  # left by a killed git: nobody else uses this slot
    if not _has(root, commit):
        git.fetch(root, repository, *REFSPECS, options=("--force", "--tags"))
    if not _has(root, commit):
        git.fetch(root, repository, commit)
    git.run(root, "checkout", "--quiet", "--force", "--detach", commit)
    git.run(root, "clean", "-ffdxq", "--exclude=/.dvc/cache")
    head = git.run(root, "rev-parse", "HEAD")
    changed = git.run(root, "status", "--porcelain")
    if head != commit or changed:
        raise PipelineError(f"{root} is at {head} with changes {changed.splitlines()}, not at a clean {commit}.")


def _has(root: Path, commit: str) -> bool:
    try:
        git.run(root, "cat-file", "-e", f"{commit}^{{commit}}")
    except PipelineError:
        return False
    return True
