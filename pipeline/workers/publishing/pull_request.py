"""The text of a pull request, which compares the results with the base commit, and the command that opens one."""

import logging
import os
import subprocess
import sys
from pathlib import Path

from pipeline.repository import git
from pipeline.repository.results import Metrics, format_metric, report_of_commit
from stages.errors import PipelineError
from stages.metrics.summary import parse_summaries

COMMAND = "RETUNE_PULL_REQUEST"
WAITING_REFS = "refs/retune/pull-requests"  # holds the commit of a branch until its pull request is opened
COMPARED = (0, 3, 4)  # exit codes of `retune compare` that come with a complete comparison
log = logging.getLogger(__name__)


def compare_commits(root: Path, base: str, head: str) -> str:
    """The output of `retune compare --markdown` for two commits; where it fails, a table of their metrics.

    Args:
        root: A checkout of `head`.
        base: SHA of the commit to compare with.
        head: SHA of the commit with the results.
    """
    command = [sys.executable, "-P", "-m", "pipeline.cli", "compare", base, head, "--markdown"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode in COMPARED and done.stdout.strip():
        return done.stdout.strip()
    reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    log.warning("retune compare failed (%s): the message holds the metrics before and after instead.", reason)
    before, after = (parse_summaries(report_of_commit(root, commit).metrics) for commit in (base, head))
    return _metrics_before_and_after(before, after)


def is_wanted() -> bool:
    """Whether this machine has a command that opens pull requests."""
    return bool(os.environ.get(COMMAND))


def waiting_ref(branch: str) -> str:
    """The ref in the repository that says that the branch's pull request has to be opened."""
    return f"{WAITING_REFS}/{branch.rpartition('/')[2]}"


def open_pull_request(root: Path, repository: str, branch: str, text: str) -> None:
    """Run the command in RETUNE_PULL_REQUEST, with the text as its standard input, until it has succeeded once.

    That it has to run is noted in the repository, which survives this process and this machine.

    Example: `RETUNE_PULL_REQUEST='gh pr create --head "$BRANCH" --fill'`
    """
    command, note = os.environ.get(COMMAND), waiting_ref(branch)
    if not command or not git.ls_remote(repository, note):
        return
    environment = {**os.environ, "BRANCH": branch}
    done = subprocess.run(command, shell=True, cwd=root, env=environment, input=text, text=True, check=False)
    if done.returncode:
        log.warning(
            "%s failed with exit code %d. The branch %s is pushed: the next run with these results tries again.",
            COMMAND,
            done.returncode,
            branch,
        )
        return
    try:
        git.push(root, repository, f":{note}")
    except PipelineError as error:
        log.warning("%s succeeded, but may run again for %s: %s", COMMAND, branch, error)


def _metrics_before_and_after(before: Metrics, after: Metrics) -> str:
    rows = [
        f"| {name} | {format_metric(before[name]) if name in before else ''} "
        f"| {format_metric(after[name]) if name in after else ''} |"
        for name in dict.fromkeys([*after, *before])
    ]
    return (
        "\n".join(["| metric, mean over the seeds | before | after |", "|---|---|---|", *rows])
        if rows
        else "No metrics yet."
    )
