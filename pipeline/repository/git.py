"""Runs the git command."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stages.errors import PipelineError


@dataclass(frozen=True)
class Commit:
    """A line of `git log`: the full SHA, the date (YYYY-MM-DD) and the subject."""

    sha: str
    date: str
    subject: str


def run(root: Path | None, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run git and return what it prints, without the final newline.

    Args:
        root: The folder to run in; None: the current one.
        arguments: The subcommand and its arguments.
        environment: Further environment variables.

    Raises:
        PipelineError: git failed; the message is the last line of its error.
    """
    done = _call(root, *arguments, environment=environment)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise PipelineError(f"git {arguments[0]} failed: {lines[-1]}")
    return done.stdout.strip()


def resolve_revision(root: Path, rev: str) -> str:
    """The full SHA of the commit that `rev` names in the repository at `root`.

    Raises:
        PipelineError: The repository has no such revision.
    """
    done = _call(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
    if done.returncode:
        raise unknown_revision(rev)
    return done.stdout.strip()


def resolve_remote(repository: str, ref: str) -> str:
    """The full SHA of the commit that a branch or tag names in another repository; a full SHA is returned as it is.

    Args:
        repository: URL or path.
        ref: Branch, tag or full SHA.

    Raises:
        PipelineError: The repository can't be reached, or has no such branch or tag.
    """
    if re.fullmatch(r"[0-9a-f]{40}", ref):
        return ref
    lines = run(None, "ls-remote", repository, f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/tags/{ref}^{{}}")
    if not lines:
        raise PipelineError(f"{repository} has no branch or tag {ref}. See: git ls-remote {repository}")
    return lines.splitlines()[-1].split()[0]


def commits(root: Path, rev: str, path: str, *, most: int) -> list[Commit]:
    """The last commits up to `rev` that changed `path`, newest first.

    Raises:
        PipelineError: The repository has no such revision.
    """
    text = run(root, "log", f"--max-count={most}", "--format=%H%x09%cs%x09%s", resolve_revision(root, rev), "--", path)
    return [Commit(*line.split("\t", 2)) for line in text.splitlines()]


def show(root: Path, commit: str, path: str) -> str | None:
    """The text of a file (its path relative to `root`) in a commit, or None if the commit has no such file."""
    done = _call(root, "show", f"{commit}:./{path}")
    return done.stdout if done.returncode == 0 else None


def unknown_revision(rev: str) -> PipelineError:
    """The error for a revision that the repository does not have."""
    return PipelineError(
        f"{rev} is not a revision of this repository. See: git log, git branch -a. In a shallow clone, run first: "
        "git fetch --unshallow"
    )


def _call(
    root: Path | None, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=root,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", **(environment or {})},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
    except FileNotFoundError as error:
        raise PipelineError("git is not on the PATH. Install it.") from error
