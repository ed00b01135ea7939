"""Reads the metrics of each commit from data/report/metrics.json in git; needs neither DVC nor the data."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.repository import git
from pipeline.repository.results import parse_report
from stages.errors import PipelineError
from stages.metrics.names import headline_metrics, metric_name
from stages.metrics.summary import MetricSummary, parse_summaries
from stages.params import parse_mapping
from stages.paths import Paths
from stages.yaml_file import read_text

PATH = (Paths().report / "metrics.json").as_posix()
WORKSPACE = "workspace"


@dataclass(frozen=True)
class CommitMetrics:
    """The metrics of one commit, or of the workspace.

    Attributes:
        commit: Its abbreviated hash; `workspace`.
        date: Of the commit; empty for the workspace.
        subject: First line of the commit's message; empty for the workspace.
        metrics: By full name, such as `test.mcc`.
    """

    commit: str
    date: str
    subject: str
    metrics: Mapping[str, MetricSummary]


def read_history(root: Path, rev: str | None, *, most: int) -> list[CommitMetrics]:
    """Return the commits that changed the metrics, newest first; before them the workspace, if its metrics differ.

    Args:
        root: The project's folder.
        rev: The newest commit; None: the workspace and HEAD.
        most: Number of commits, at most.

    Raises:
        PipelineError: The revision is unknown, or no commit has metrics.
    """
    commits = []
    for commit in git.commits(root, rev or "HEAD", PATH, most=most):
        metrics = _parse(git.show(root, commit.sha, PATH))
        if metrics:  # a commit may also have removed or damaged the file
            commits.append(CommitMetrics(commit.sha[:9], commit.date, commit.subject, metrics))
    path = root / PATH
    if rev is None and path.is_file():
        metrics = _parse(path.read_text(encoding="utf-8", errors="replace"))
        if metrics and (not commits or metrics != commits[0].metrics):
            commits.insert(0, CommitMetrics(WORKSPACE, "", "", metrics))
    if not commits:
        raise PipelineError(
            f"No commit of {rev or 'HEAD'} has metrics ({PATH}). Run the pipeline (retune run), then commit that file."
        )
    return commits


def choose_metrics(root: Path, commits: Sequence[CommitMetrics], metric: str | None) -> list[str]:
    """Return the full names of the metrics to show: `metric`, or the headline metrics that any commit has.

    Raises:
        PipelineError: No commit has `metric`.
    """
    known = list(dict.fromkeys(name for commit in commits for name in commit.metrics))
    if metric:
        name = metric if "." in metric else metric_name("test", metric)
        if name not in known:
            raise PipelineError(f"No commit has the metric {name}. Known metrics: {', '.join(known)}.")
        return [name]
    path = root / "params.yaml"
    section = parse_mapping(read_text(path) or "", name=str(path)).get("evaluate")
    first = section.get("metric", "macro_f1") if isinstance(section, Mapping) else "macro_f1"
    names = [metric_name("test", name) for name in headline_metrics(first)]
    return [name for name in names if name in known] or known[:1]


def as_json(commits: Sequence[CommitMetrics]) -> list[dict[str, Any]]:
    """Return plain values for `--json`."""
    return [asdict(commit) for commit in commits]


def _parse(text: str | None) -> dict[str, MetricSummary]:
    try:
        return parse_summaries(parse_report(text or "{}", name=PATH))
    except PipelineError:
        return {}
