"""The few things that are asked of git itself: which commit a name stands for, and which commits changed a file."""

import subprocess
from pathlib import Path

from stages.errors import PipelineError


def resolve(root: Path, rev: str) -> str:
    """Return the full hash of the commit that `rev` stands for.

    Raises:
        PipelineError: It is no revision of this repository.
    """
    done = run(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
    if done is None:
        raise PipelineError(
            f"{rev} is no revision of this repository. See: git log, git branch -a; a shallow clone needs: git fetch "
            "--unshallow"
        )
    return done.strip()


def commits(root: Path, rev: str, path: str, *, most: int) -> list[tuple[str, str, str]]:
    """Return hash, date (YYYY-MM-DD) and subject of the last commits that changed `path`, newest first."""
    text = run(root, "log", f"--max-count={most}", "--format=%H%x09%cs%x09%s", resolve(root, rev), "--", path)
    lines = [line.split("\t", 2) for line in (text or "").splitlines()]
    return [(commit, date, subject) for commit, date, subject in lines]


def show(root: Path, commit: str, path: str) -> str | None:
    """Return the text of a file (its path relative to `root`) in a commit, or None if it is not there."""
    return run(root, "show", f"{commit}:./{path}")


def run(root: Path, *arguments: str) -> str | None:
    """Run git, and return what it prints, or None where it says no."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, encoding="utf-8")
    except FileNotFoundError as error:
        raise PipelineError("git is not on the PATH. Install it.") from error
    return done.stdout if done.returncode == 0 else None
