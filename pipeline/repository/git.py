"""Runs the git command."""

import fnmatch
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.repository.digests import with_parents
from stages.errors import PipelineError

SHA1 = re.compile(r"[0-9a-f]{40}")

OPTIONS = (  # over what a user has set, so that what git prints is what is expected here
    *("i18n.logOutputEncoding=UTF-8", "i18n.commitEncoding=UTF-8", "color.ui=false", "core.quotePath=false"),
    *("log.showSignature=false", "log.showRoot=true", "log.follow=false", "log.diffMerges=separate"),
    *("diff.relative=false", f"diff.orderFile={os.devnull}", "diff.ignoreSubmodules=none"),
    "status.showUntrackedFiles=normal",
)


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
    done = call(root, *arguments, environment=environment)
    if done.returncode:
        raise PipelineError(f"git {arguments[0]} failed: {_problem(done)}")
    return done.stdout.strip()


def check_usable(root: Path) -> None:
    """Check that git takes a folder for part of a repository that it can read.

    Raises:
        PipelineError: It does not; git says why: a damaged file of .git, or a folder that belongs to another user.
    """
    done = call(root, "rev-parse", "--git-dir")
    if done.returncode:
        raise PipelineError(f"git can't use the repository of {root}: {_problem(done)}")


def resolve_remote(repository: str, ref: str) -> str:
    """The full SHA of the commit that a branch or tag names in another repository; a full SHA is returned as it is.

    Args:
        repository: URL or path.
        ref: Branch, tag or full SHA.

    Raises:
        PipelineError: The repository can't be reached, or has no such branch or tag.
    """
    if SHA1.fullmatch(ref):
        check_repository(repository)
        return ref
    lines = ls_remote(repository, f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/tags/{ref}^{{}}")
    if not lines:
        raise PipelineError(f"{repository} has no branch or tag {ref}. See: git ls-remote {repository}")
    return lines.split("\n")[-1].split()[0]


def ls_remote(repository: str, *refs: str) -> str:
    """What `git ls-remote` prints for these refs of another repository: a SHA, a tab and the ref on each line."""
    check_repository(repository)
    return run(None, "ls-remote", "--end-of-options", repository, *refs)


def fetch(root: Path, repository: str, *refs: str, options: Iterable[str] = ()) -> None:
    """Fetch refs from another repository."""
    check_repository(repository)
    run(root, "fetch", "--quiet", *options, "--end-of-options", repository, *refs)


def push(root: Path, repository: str, *refspecs: str) -> None:
    """Push refs to another repository."""
    check_repository(repository)
    run(root, "push", "--quiet", "--end-of-options", repository, *refspecs)


def check_commit(commit: str) -> None:
    """Check that a text is the full SHA of a commit, not an option of git.

    Raises:
        PipelineError: It is not.
    """
    if not SHA1.fullmatch(commit):
        raise PipelineError(f"{commit!r} is not the full SHA of a commit: expected 40 hexadecimal digits.")


def check_repository(repository: str) -> None:
    """Check that git takes a text for the place of a repository, not for an option or the name of a program.

    Raises:
        PipelineError: It starts with `-`, or names a program that git would start, as `ext::COMMAND` does.
    """
    if not repository or repository.startswith("-") or re.match(r"[^/:]+::", repository):
        raise PipelineError(f"{repository!r} is not the URL or path of a git repository.")


def commits(root: Path, commit: str, *paths: str, most: int, full_history: bool = False) -> list[Commit]:
    """The last commits up to `commit` that changed one of `paths`, newest first.

    Args:
        root: The folder to run in.
        commit: Where the history starts.
        paths: Relative to `root`.
        most: How many commits.
        full_history: Also those of merged branches whose changes a merge undid.
    """
    options = ["--full-history"] if full_history else []
    text = run(root, "log", "-z", f"--max-count={most}", *options, "--format=%H%x09%cs%x09%s", commit, "--", *paths)
    return [Commit(*line.split("\t", 2)) for line in text.split("\0") if line]


def setting(root: Path, key: str) -> str | None:
    """A value of git's configuration as it holds in the repository, such as user.email; None if it is not set."""
    return call(root, "config", "--get", key).stdout.strip() or None


def show(root: Path, commit: str, path: str) -> str | None:
    """The text of a file (its path relative to `root`) in a commit, or None if the commit has no such file."""
    bare = content(root, commit, path)
    return None if bare is None else _text(bare)


def content(root: Path, commit: str, path: str) -> bytes | None:
    """The bytes of a file (its path relative to `root`) in a commit, or None if the commit has no such file."""
    done = _run(root, "show", "--end-of-options", f"{commit}:./{path}")
    return done.stdout if done.returncode == 0 else None


def files(root: Path, rev: str | None, pattern: str) -> list[str]:
    """The files whose names match, relative to `root`: of a revision, or of the index with those that git would add.

    None outside a git repository.
    """
    if rev is None:
        arguments = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", pattern)
        return [name for name in call(root, *arguments).stdout.split("\0") if name]
    names = call(root, "ls-tree", "-r", "-z", "--name-only", "--end-of-options", rev).stdout.split("\0")
    return fnmatch.filter(names, pattern)


def former_contents(root: Path, commit: str, *paths: str, most: int) -> Iterator[bytes]:
    """The contents that files had in the last `most` commits up to `commit` that changed one, newest first.

    None outside a git repository, and none of those that a shallow clone lacks.
    """
    log = call(
        root, "log", "-m", "--full-history", f"--max-count={most}", "--raw", "--no-abbrev", "--no-renames", "--format=",
        "--end-of-options", commit, "--", *(f"./{path}" for path in paths),
    )  # fmt: skip
    blobs = dict.fromkeys(line.split()[3] for line in log.stdout.split("\n") if line.startswith(":"))
    for blob in blobs:
        if blob.strip("0"):  # zeros: the commit deleted it
            done = _run(root, "cat-file", "blob", blob)
            if done.returncode == 0:
                yield done.stdout


def ever_had(root: Path, commit: str, path: str) -> bool:
    """Whether a path was in a commit or in one before it, as far as the clone has them."""
    return bool(call(root, "log", "-1", "--full-history", "--format=%H", commit, "--", path).stdout)


def is_left_out(root: Path, commit: str, path: str) -> bool:
    """Whether git would not hold what is at a path of a commit: it is ignored.

    The commit's own .gitignore files decide, not those that are checked out, nor what this machine excludes.
    """
    path = run(root, "rev-parse", "--show-prefix") + path
    with tempfile.TemporaryDirectory() as work:
        for name in (f"{parent}/.gitignore".lstrip("/") for parent in ["", *with_parents(path)[1:]]):
            done = call(root, "show", "--end-of-options", f"{commit}:{name}")
            if done.returncode == 0:
                (Path(work) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(work) / name).write_text(done.stdout, encoding="utf-8")
        run(Path(work), "init", "--quiet", "--template=")  # a repository without this machine's excludes
        names = (path, f"{path}/")  # nobody knows whether it was a file or a folder
        ignored = call(Path(work), "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "--", *names)
        return bool(ignored.stdout)


def call(
    root: Path | None, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run git, which may fail. Its output is text; bytes that are not UTF-8, as in old subjects, are `\ufffd`."""
    done = _run(root, *arguments, environment=environment)
    return subprocess.CompletedProcess(done.args, done.returncode, _text(done.stdout), _text(done.stderr))


def _problem(done: subprocess.CompletedProcess[str]) -> str:
    """What git printed: its last line, after the line that says what is wrong, if that is another one."""
    lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
    fatal = [line for line in lines[:-1] if line.startswith("fatal: ")]
    return ". To change that: ".join([*fatal[-1:], lines[-1].strip()])


def _text(content: bytes) -> str:
    return content.decode(errors="replace").replace("\r\n", "\n")


def _run(
    root: Path | None, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *(part for option in OPTIONS for part in ("-c", option)), *arguments],
            cwd=root,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", **(environment or {})},
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise PipelineError("git is not on the PATH. Install it.") from error
