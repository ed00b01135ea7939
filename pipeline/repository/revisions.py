"""Finds the commit that a git revision or the name of a DVC experiment means."""

import re
import shlex
from pathlib import Path

from pipeline.repository import git
from stages.errors import PipelineError

EXPERIMENT = re.compile(r" refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/(.+)$")  # where it began, and its name
RANGE = re.compile(
    r"(?:[^:{]|\{[^}/]*\})*?\.\.(?!/)"
)  # dots of a path or of the text in `:/TEXT` and `^{/TEXT}` make none
KINDS = {"blob": "a file", "tree": "a folder"}  # as people call them


def resolve_revision(root: Path, rev: str) -> str:
    """The full SHA of the commit that `rev` names in the repository at `root`: a git revision or a DVC experiment.

    Raises:
        PipelineError: The repository has no such revision, or several such experiments; it is a range, or names a file
            or a folder; or `rev` is empty.
    """
    if not rev:  # a variable of a script that is not set
        raise PipelineError("A revision is empty. Give one, or leave it out.")
    done = git.call(root, "rev-parse", "--verify", "--quiet", "--end-of-options", rev)
    named = done.stdout.strip()
    if git.SHA1.fullmatch(named) and not done.returncode:
        return _peel(root, named, rev)
    if named or RANGE.match(rev):  # git prints all commits that it means
        raise _is_range(rev)
    commits = _experiments(root, rev)
    if len(commits) > 1:
        raise PipelineError(
            f"{rev} is the name of {len(commits)} experiments, which began at other commits. Use the SHA of one: "
            f"{', '.join(commits)}"
        )
    if not commits:
        raise unknown_revision(rev)
    return commits[0]


def unknown_revision(rev: str) -> PipelineError:
    """The error for a revision that the repository does not have."""
    if rev == "HEAD":
        return PipelineError("This repository has no commit yet. Make one: git commit")
    return PipelineError(
        f"{rev} is not a revision of this repository or an experiment. See: git log, git branch -a, dvc exp list -A. "
        "In a shallow clone, run first: git fetch --unshallow"
    )


def _peel(root: Path, sha: str, rev: str) -> str:
    """The commit that an object is or, as an annotated tag, leads to.

    A revision such as `:/TEXT` ends with any text, so that `^{commit}` can't be written behind it.
    """
    done = git.call(root, "rev-parse", "--verify", "--quiet", f"{sha}^{{commit}}")
    if not done.returncode:
        return done.stdout.strip()
    kind = git.call(root, "cat-file", "-t", f"{sha}^{{}}").stdout.strip()
    if kind not in KINDS:  # a full SHA, which git takes for one whether it has such an object or not
        raise unknown_revision(rev)
    raise PipelineError(f"{rev} names {KINDS[kind]}, not a commit. Give a branch, a tag or the SHA of a commit.")


def _is_range(rev: str) -> PipelineError:
    ends = re.split(r"\.{2,3}", rev)
    two = shlex.join(end or "HEAD" for end in ends) if len(ends) == 2 else "BASE HEAD"
    return PipelineError(f"{rev} is a range of commits, not one revision. To compare two: retune compare {two}")


def _experiments(root: Path, name: str) -> list[str]:
    """The commits of the DVC experiments of this name: that which began at HEAD, else all of them.

    DVC keeps an experiment under the commit that it began at, which git's own names don't reach.
    """
    lines = git.call(root, "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").stdout.split("\n")
    matches = [
        (line[:40], match[1] + match[2]) for line in lines if (match := EXPERIMENT.search(line)) and match[3] == name
    ]
    head = git.call(root, "rev-parse", "HEAD").stdout.strip()
    return [commit for commit, start in matches if start == head] or [commit for commit, _ in matches]
