"""What a coordinator writes to git: commits of parameters, and a branch with the results; never another branch."""

import contextlib
import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline import recipes
from pipeline.execution.workspace import prune
from pipeline.planning.plan import StagePlan
from pipeline.repository import git
from pipeline.repository.graph import Graph, Stage
from pipeline.repository.lock import RawEntry, merge_lock, parse_lock, read_lock
from pipeline.repository.project import Project
from pipeline.repository.remote import Remote
from pipeline.repository.results import format_metric, read_metrics
from pipeline.repository.run_cache import entry_key
from pipeline.workers.checkout import HIDDEN
from pipeline.workers.inputs import plan_key
from stages.errors import PipelineError
from stages.files import write_text
from stages.paths import Paths

PREFIX = "retune/"
RULE_BROKEN = 3  # exit code of `retune compare`: it has compared, and a rule of the project is broken
AUTHOR = ("retune", "retune@localhost")
log = logging.getLogger(__name__)


def commit_params(root: Path, repository: str, overrides: Mapping[str, str]) -> str:
    """Commit other parameters and push that commit to where workers find it; return its SHA.

    The same overrides on the same commit give the same SHA, whoever commits them.

    Args:
        root: A clean checkout.
        repository: Where to push.
        overrides: Key -> value as YAML.

    Raises:
        ParamsError: The parameters are not valid.
    """
    path = root / "params.yaml"
    lines = [f"{key}={value}" for key, value in overrides.items()]
    write_text(path, recipes.override(path.read_text(encoding="utf-8"), lines))
    if not git.run(root, "status", "--porcelain", "--", "params.yaml"):
        return git.run(root, "rev-parse", "HEAD")
    git.run(root, "add", "params.yaml")
    commit = _commit(root, f"Parameters: {', '.join(lines)}")
    git.run(root, "push", "--quiet", repository, f"{commit}:{HIDDEN}/{commit}")
    return commit


def write_results(root: Path, graph: Graph, plans: Mapping[str, StagePlan], remote: Remote) -> list[str]:
    """Write dvc.lock and every uncached output into the coordinator's checkout; return the stages that changed.

    Raises:
        PipelineError: A stage has no record.
    """
    with Project(root) as project:
        prune(root, project)
    before = read_lock(root)
    entries = {stage.name: _entry(stage, plans[stage.name], before.get(stage.name), remote) for stage in graph.stages}
    merge_lock(root, entries)
    outs = {out["path"]: out["md5"] for entry in entries.values() for out in entry["outs"]}
    uncached = [out for stage in graph.stages for out in sorted(stage.uncached)]
    with Project(root) as project:
        there = {out: item.md5 for out in uncached if (item := project.digest(out))}
    for out in uncached:
        if there.get(out) != outs[out]:
            _write_uncached(root / out, outs[out], remote)
    committed = _committed_lock(root)
    return [name for name, entry in entries.items() if entry != committed.get(name)]


def publish(root: Path, repository: str, *, base: str, graph: Graph, changed: list[str]) -> tuple[str, str] | None:
    """Commit the results and push them as a branch of their own.

    Args:
        root: The coordinator's checkout with the results written.
        repository: Where to push.
        base: The commit that the run began with, before its parameters.
        graph: The stages.
        changed: The stages with another result than before, for the title.

    Returns:
        The branch and the text of a pull request, or None if nothing differs from the commit.
    """
    parent = git.run(root, "rev-parse", "HEAD")
    outs = [out for stage in graph.stages for out in sorted(stage.uncached) if (root / out).exists()]
    git.run(root, "add", "--update")
    git.run(root, "add", "--force", "--", "dvc.lock", *outs)
    if not git.run(root, "diff", "--cached", "--name-only") and parent == base:
        return None
    title = f"Retrain: {', '.join(changed) or 'no stage has changed'}"
    commit = _commit(root, title)
    text = f"{title}\n\n{comparison(root, base, commit)}"
    commit = _commit(root, text, "--amend")
    branch = _push(root, repository, commit, f"{PREFIX}{parent[:12]}")
    if parent != base and git.run(root, "ls-remote", repository, f"{HIDDEN}/{parent}"):
        git.run(root, "push", "--quiet", repository, f":{HIDDEN}/{parent}")
    return branch, text


def comparison(root: Path, base: str, head: str) -> str:
    """The comparison of two commits as markdown: `retune compare`, or the metrics before and after."""
    command = [sys.executable, "-P", "-m", "pipeline.cli", "compare", base, head, "--markdown"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode in (0, RULE_BROKEN) and done.stdout.strip():
        return done.stdout.strip()
    said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    log.warning("retune compare did not work (%s): metrics before and after instead.", said)
    return _before_and_after(root, base)


def _before_and_after(root: Path, base: str) -> str:
    after = read_metrics(root)
    with tempfile.TemporaryDirectory() as folder:
        path = Paths(Path(folder)).report / "metrics.json"
        path.parent.mkdir(parents=True)
        with contextlib.suppress(PipelineError):  # the base has no metrics yet
            path.write_text(git.run(root, "show", f"{base}:{Paths().report.as_posix()}/metrics.json"), encoding="utf-8")
        before = read_metrics(Path(folder))
    rows = [
        f"| {name} | {format_metric(before[name]) if name in before else ''} "
        f"| {format_metric(after[name]) if name in after else ''} |"
        for name in dict.fromkeys([*after, *before])
    ]
    return "\n".join(["| metric | before | after |", "|---|---|---|", *rows]) if rows else "No metrics yet."


def _committed_lock(root: Path) -> dict[str, RawEntry]:
    return parse_lock(git.show(root, "HEAD", "dvc.lock") or "")


def _entry(stage: Stage, plan: StagePlan, before: RawEntry | None, remote: Remote) -> RawEntry:
    key = plan_key(stage, plan)
    if before and key and entry_key(before) == key:
        outs = {out["path"]: out.get("md5") for out in before["outs"]}
        if all(item.md5 == outs.get(path) for path, item in plan.outs.items()):
            return before
    entry = remote.find(key) if key else None
    if entry is None:
        raise PipelineError(f"{stage.name} has no record in the DVC remote (any more). Run again.")
    return entry


def _write_uncached(path: Path, md5: str, remote: Remote) -> None:
    files = {path / name: item.md5 for name, item in (remote.folder_files(md5) or {}).items()} or {path: md5}
    for file, part in files.items():
        content = remote.read(part)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def _commit(root: Path, message: str, *options: str) -> str:
    """Commit what is staged, as of the parent's time: the same content gives the same SHA."""
    parent = "HEAD^" if "--amend" in options else "HEAD"
    date = git.run(root, "show", "--no-patch", "--format=%cI", parent)
    name, mail = AUTHOR
    facts = (("NAME", name), ("EMAIL", mail), ("DATE", date))
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in facts}
    flags = ("--quiet", "--no-verify", "--allow-empty", "--cleanup=verbatim", *options)
    git.run(root, "commit", *flags, f"--message={message}", environment=who)
    return git.run(root, "rev-parse", "HEAD")


def _push(root: Path, repository: str, commit: str, branch: str) -> str:
    """Push the commit as a new branch; one that has the same content already will do."""
    for number in range(1, 100):
        name = branch if number == 1 else f"{branch}-{number}"
        if not re.fullmatch(rf"{PREFIX}[0-9a-f]+(-\d+)?", name):
            raise PipelineError(f"{name} is no branch of ours; nothing is pushed.")
        there = git.run(root, "ls-remote", repository, f"refs/heads/{name}").partition("\t")[0]
        if not there:
            try:
                git.run(root, "push", "--quiet", repository, f"{commit}:refs/heads/{name}")
                return name
            except PipelineError as error:
                log.warning("%s could not be pushed (%s): looking again.", name, error)
                if not git.run(root, "ls-remote", repository, f"refs/heads/{name}"):
                    raise
                there = git.run(root, "ls-remote", repository, f"refs/heads/{name}").partition("\t")[0]
        git.run(root, "fetch", "--quiet", repository, f"refs/heads/{name}")
        if git.run(root, "rev-parse", "FETCH_HEAD^{tree}") == git.run(root, "rev-parse", f"{commit}^{{tree}}"):
            log.info("%s has these results already.", name)
            return name
    raise PipelineError(f"There are a hundred branches {branch}-N. Remove those that are merged.")


def open_pull_request(root: Path, branch: str, text: str) -> None:
    """Hand the branch and the text to the command in RETUNE_PULL_REQUEST, if there is one.

    Example: `RETUNE_PULL_REQUEST='gh pr create --head "$BRANCH" --fill'`; the text is its standard input.
    """
    command = os.environ.get("RETUNE_PULL_REQUEST")
    if not command:
        return
    done = subprocess.run(
        command, shell=True, cwd=root, env={**os.environ, "BRANCH": branch}, input=text, text=True, check=False
    )
    if done.returncode:
        log.warning("RETUNE_PULL_REQUEST ended with exit code %d; the branch %s is there.", done.returncode, branch)
