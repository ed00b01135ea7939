"""Clean checkouts of one commit, in slots that are used again: a clone is fetched once per machine."""

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

HIDDEN = "refs/retune"  # where commits of parameters lie until a branch holds them
REFSPECS = ("+refs/heads/*:refs/remotes/origin/*", f"+{HIDDEN}/*:{HIDDEN}/*")
log = logging.getLogger(__name__)


def home() -> Path:
    """Where this machine keeps its checkouts and its cache: RETUNE_HOME, else ~/.cache/retune."""
    return Path(os.environ.get("RETUNE_HOME") or Path.home() / ".cache/retune").absolute()


@contextlib.contextmanager
def slot(repository: str, commit: str, *, kind: str, cache: Path | None = None) -> Iterator[Path]:
    """Yield a folder that holds exactly the commit and is nobody else's as long as the block lasts.

    Args:
        repository: URL or path of the git repository.
        commit: Its full SHA.
        kind: `stage` or `coordinator`; slots of one kind are shared.
        cache: DVC cache for it; None: its own.

    Raises:
        PipelineError: The repository can't be reached or does not have the commit.
    """
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
            lock.release()  # `with` has taken it a second time
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
        log.warning("%s can't be used again (%s): cloning anew.", root, error)
        shutil.rmtree(root, ignore_errors=True)
        _try_check_out(root, repository, commit)


def _try_check_out(root: Path, repository: str, commit: str) -> None:
    if not (root / ".git").is_dir():
        root.mkdir(parents=True, exist_ok=True)
        git.run(root, "init", "--quiet")
    (root / ".git/index.lock").unlink(missing_ok=True)  # of a killed git; the slot is ours
    if not _has(root, commit):
        git.run(root, "fetch", "--quiet", "--force", "--tags", repository, *REFSPECS)
    if not _has(root, commit):
        git.run(root, "fetch", "--quiet", repository, commit)
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
