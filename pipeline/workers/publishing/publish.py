"""What a coordinator pushes to git: commits with changed parameters, and a branch `retune/...` with the results."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import recipes
from pipeline.repository import git
from pipeline.repository.graph import Graph
from pipeline.workers.checkout import PARAMS_REFS
from pipeline.workers.publishing.pull_request import compare_commits, is_wanted, waiting_ref
from stages.errors import PipelineError
from stages.files import write_text

PREFIX = "retune/"
MAX_BRANCHES = 99  # with the same base commit and different results
AUTHOR = ("retune", "retune@localhost")
log = logging.getLogger(__name__)


def commit_params(root: Path, repository: str, values: Mapping[str, Any]) -> str:
    """Commit changed parameters, push the commit to `refs/retune/` for the workers, and return its SHA.

    The same values on the same commit always give the same SHA.

    Args:
        root: A clean checkout.
        repository: URL of the git repository.
        values: The parameters to change, by full key; at least one.

    Raises:
        ParamsError: The parameters are not valid.
    """
    lines = recipes.override_lines(values)
    write_text(root / "params.yaml", recipes.changed_params(root, overrides=lines) or "")
    if not git.run(root, "status", "--porcelain", "--", "params.yaml"):
        return git.run(root, "rev-parse", "HEAD")
    git.run(root, "add", "params.yaml")
    commit = _commit(root, f"Parameters: {', '.join(lines)}")
    git.push(root, repository, f"{commit}:{PARAMS_REFS}/{commit}")
    return commit


def commit_results(root: Path, *, base: str, graph: Graph, changed: list[str]) -> str | None:
    """Commit the results.

    Args:
        root: The coordinator's checkout, with the results written.
        base: The commit that the run started from, before its parameters were committed.
        graph: The stages.
        changed: The stages whose results changed, for the title.

    Returns:
        The commit message, which is also the text of a pull request; None if nothing differs from the base.
    """
    parent = git.run(root, "rev-parse", "HEAD")
    outs = [out for stage in graph.stages for out in sorted(stage.uncached) if (root / out).exists()]
    git.run(root, "add", "--update")
    git.run(root, "add", "--force", "--", "dvc.lock", *outs)
    if not git.run(root, "diff", "--cached", "--name-only") and parent == base:
        return None
    title = f"Retrain: {', '.join(changed) or 'no stage has changed'}"
    commit = _commit(root, title)
    text = f"{title}\n\n{compare_commits(root, base, commit)}"
    _commit(root, text, "--amend")
    return text


def push_results(root: Path, repository: str, *, base: str) -> str:
    """Push the commit with the results as a branch, and return the branch.

    Args:
        root: The coordinator's checkout, with the results committed.
        repository: URL of the git repository.
        base: The commit that the run started from, before its parameters were committed.
    """
    commit, parent = (git.run(root, "rev-parse", revision) for revision in ("HEAD", "HEAD^"))
    branch = _push(root, repository, commit, f"{PREFIX}{parent[:12]}")
    if parent != base and git.ls_remote(repository, f"{PARAMS_REFS}/{parent}"):
        git.push(root, repository, f":{PARAMS_REFS}/{parent}")
    return branch


def _commit(root: Path, message: str, *options: str) -> str:
    """Commit what is staged with the parent's date, so that the same content gives the same SHA; return it."""
    parent = "HEAD^" if "--amend" in options else "HEAD"
    date = git.run(root, "show", "--no-patch", "--format=%cI", parent)
    name, email = AUTHOR
    values = {"NAME": name, "EMAIL": email, "DATE": date}
    identity = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in values.items()}
    flags = ("--quiet", "--no-verify", "--allow-empty", "--cleanup=verbatim", *options)
    git.run(root, "commit", *flags, f"--message={message}", environment=identity)
    return git.run(root, "rev-parse", "HEAD")


def _push(root: Path, repository: str, commit: str, branch: str) -> str:
    """Push the commit as a new branch, unless a branch with the same content exists; return the branch.

    A new branch is pushed together with the note that its pull request has to be opened.
    """
    for number in range(1, MAX_BRANCHES + 1):
        name = branch if number == 1 else f"{branch}-{number}"
        if not re.fullmatch(rf"{PREFIX}[0-9a-f]+(-\d+)?", name):
            raise PipelineError(f"Refusing to push to {name}: results go only to branches {PREFIX}COMMIT.")
        if not _remote_branch(repository, name):
            try:
                note = [f"+{commit}:{waiting_ref(name)}"] if is_wanted() else []
                git.push(root, repository, f"{commit}:refs/heads/{name}", *note)
                return name
            except PipelineError as error:
                log.warning("%s could not be pushed (%s): checking whether it exists now.", name, error)
                if not _remote_branch(repository, name):
                    raise
        git.fetch(root, repository, f"refs/heads/{name}")
        if git.run(root, "rev-parse", "FETCH_HEAD^{tree}") == git.run(root, "rev-parse", f"{commit}^{{tree}}"):
            log.info("The branch %s already holds these results.", name)
            return name
    raise PipelineError(
        f"{repository} has {MAX_BRANCHES} branches {branch}, {branch}-2, ... with other results. Delete merged ones."
    )


def _remote_branch(repository: str, name: str) -> str:
    """The commit of a branch of the repository; empty if there is no such branch."""
    return git.ls_remote(repository, f"refs/heads/{name}").partition("\t")[0]
