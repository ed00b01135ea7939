"""Reads the metrics of each commit: the headline from git alone, all others from DVC's cache or remote."""

import contextlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.comparison.revision import Revision
from pipeline.comparison.revision_files import WORKSPACE
from pipeline.repository import git
from pipeline.repository.results import HEADLINE, IN_GIT, RunResults, is_recorded, read_results, report_of_commit
from pipeline.repository.revisions import resolve_revision
from stages.errors import PipelineError
from stages.metrics.names import CAN_LEAD, headline_metrics, leading_metric, metric_name
from stages.metrics.summary import MetricSummary
from stages.params import parse_mapping
from stages.yaml_file import read_text

ALL = -1  # commits, as git says it


@dataclass(frozen=True)
class CommitMetrics:
    """The metrics of one commit, or of the workspace.

    Attributes:
        commit: Its abbreviated hash; `workspace`.
        date: Of the commit; empty for the workspace.
        subject: First line of the commit's message; empty for the workspace.
        metrics: The means over the seeds by full name, such as `test.mcc`.
        model: The metrics of the model that ships, by full name; empty where an older version wrote the file.
        seeds: Number of seeds; None where an older version wrote the file.
        recorded: Whether dvc.lock records these metrics; without it, they may be of another run.
        incomplete: Why the headline metrics alone are known, where every metric was asked for; empty where all are.
    """

    commit: str
    date: str
    subject: str
    metrics: Mapping[str, MetricSummary]
    model: Mapping[str, MetricSummary] = field(default_factory=dict)
    seeds: int | None = None
    recorded: bool = True
    incomplete: str = ""


def read_history(root: Path, rev: str | None, *, most: int, everything: bool = False) -> list[CommitMetrics]:
    """Return the commits that changed the metrics, newest first; before them the workspace, if its metrics differ.

    Args:
        root: The project's folder.
        rev: The newest commit; None: the workspace and HEAD.
        most: Number of commits, at most.
        everything: Read every metric, where DVC's cache or remote has it; else the headline alone.

    Raises:
        PipelineError: The revision is unknown, or no commit has metrics.
    """
    commits: list[CommitMetrics] = []
    start = resolve_revision(root, "HEAD" if rev is None else rev)
    changed = {commit.sha for commit in git.commits(root, start, *IN_GIT, most=ALL)}
    for commit in git.commits(root, start, *IN_GIT, "dvc.lock", most=ALL):
        if len(commits) == most:
            break
        report = report_of_commit(root, commit.sha)
        results = RunResults.parse(report.metrics)
        # A commit may also have removed or damaged the file, or have taken dvc.lock alone from another branch.
        if results.means and (commit.sha in changed or not report.is_recorded):
            found = _of_commit(commit.sha[:9], commit.date, commit.subject, results, recorded=report.is_recorded)
            commits.append(found if found.recorded else _complete(root, found))
    own = RunResults.parse({})
    if rev is None:
        with contextlib.suppress(PipelineError):  # it is damaged; `retune results` says so
            own = read_results(root)
    if everything:
        commits = [_complete(root, commit) for commit in commits]
    if own.means:
        path = next((path for path in IN_GIT if (root / path).is_file()), HEADLINE)
        found = _of_commit(WORKSPACE, "", "", own, recorded=is_recorded(root, path))
        found = _complete(root, found) if everything or not found.recorded else found
        more = everything and commits and found.metrics.keys() - commits[0].metrics.keys()  # code that measures more
        if more or not (commits and _agree(found.metrics, commits[0].metrics)):
            commits.insert(0, found)
    if not commits:
        raise PipelineError(
            f"No commit of {rev or 'HEAD'} has metrics ({HEADLINE}). Run the pipeline and commit that file: retune run"
        )
    return commits


def choose_metrics(root: Path, commits: Sequence[CommitMetrics], metric: str | None) -> list[str]:
    """Return the full names of the metrics to show: `metric`, or the headline metrics that any commit has.

    Raises:
        PipelineError: No commit has `metric`, or none that can be read.
    """
    known = list(dict.fromkeys(name for commit in commits for name in commit.metrics))
    if metric:
        name = metric if "." in metric else metric_name("test", metric)
        lacking = [commit for commit in commits if commit.incomplete]
        if name not in known and lacking:
            raise PipelineError(f"No commit that can be read has the metric {name}. {describe_lacking(lacking, name)}")
        if name not in known:
            raise PipelineError(f"No commit has the metric {name}. Known metrics: {', '.join(known)}.")
        return [name]
    path = root / "params.yaml"
    section = parse_mapping(read_text(path) or "", name=str(path)).get("evaluate")
    first = section.get("metric", "macro_f1") if isinstance(section, Mapping) else "macro_f1"
    of_test = {name.removeprefix("test.") for name in known if name.startswith("test.")}
    first = leading_metric(of_test) if first == "auto" else first
    return [metric_name("test", name) for name in headline_metrics(first, of_test)] or known[:1]


def describe_lacking(commits: Sequence[CommitMetrics], metric: str) -> str:
    """Which commits lack a metric because the headline alone can be read of them, and why; empty if none does."""
    lacking = [commit for commit in commits if commit.incomplete and metric not in commit.metrics]
    if not lacking:
        return ""
    names = ", ".join(commit.commit for commit in lacking)
    return f"Of {names}, the headline metrics alone are known: {lacking[0].incomplete}"


def as_json(commits: Sequence[CommitMetrics]) -> list[dict[str, Any]]:
    """Return plain values for `--json`."""
    return [asdict(commit) for commit in commits]


def in_headline(metric: str) -> bool:
    """Whether git alone has a metric's history."""
    return metric.removeprefix("test.") in CAN_LEAD


def _of_commit(commit: str, date: str, subject: str, results: RunResults, *, recorded: bool) -> CommitMetrics:
    return CommitMetrics(commit, date, subject, results.means, results.model, len(results.seeds) or None, recorded)


def _agree(metrics: Mapping[str, MetricSummary], headline: Mapping[str, MetricSummary]) -> bool:
    return all(
        name in metrics and replace(metrics[name], sd=None) == replace(metric, sd=None)
        for name, metric in headline.items()
    )


def _complete(root: Path, commit: CommitMetrics) -> CommitMetrics:
    """The commit with every metric that dvc.lock records; with the reason where they are not available."""
    rev = None if commit.commit == WORKSPACE else commit.commit
    try:
        with tempfile.TemporaryDirectory() as scratch, Revision(root, rev, Path(scratch)) as revision:
            results, recorded = RunResults.parse(revision.report), not revision.found_headline.unrecorded
            found = _of_commit(commit.commit, commit.date, commit.subject, results, recorded=recorded)
            return replace(found, incomplete=revision.why_incomplete)
    except PipelineError as error:
        return replace(commit, incomplete=str(error))
