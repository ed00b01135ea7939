"""The metrics of each commit: as a table in the terminal, or as Markdown with a plot that GitHub draws."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from pipeline.comparison.history import CommitMetrics
from pipeline.comparison.render.markup import code, table
from pipeline.comparison.render.strips import strip
from pipeline.repository.results import format_metric

SUBJECT = 50  # characters of a commit's subject


def render_terminal(commits: Sequence[CommitMetrics], names: Sequence[str]) -> Group:
    """Return a table per metric, with the intervals drawn on one scale."""
    return Group(*(part for name in names for part in (_table(commits, name), Text())))


def render_markdown(commits: Sequence[CommitMetrics], names: Sequence[str]) -> str:
    """Return a table, and a plot of each metric (mean and both ends of its interval)."""
    rows = [
        [
            code(commit.commit),
            commit.date,
            *(_cell(commit, name) for name in names),
            code(commit.subject, limit=SUBJECT),
        ]
        for commit in commits
    ]
    charts = [_chart(commits, name) for name in names]
    return "\n\n".join([table(["commit", "date", *map(code, names), "subject"], rows), *charts])


def _chart(commits: Sequence[CommitMetrics], name: str) -> str:
    """A mermaid chart, oldest first; its only labels are hashes of commits, so nothing in it can act."""
    points = [(commit.commit, commit.metrics[name]) for commit in reversed(commits) if name in commit.metrics]
    means = [metric.mean for _, metric in points]
    lows = [metric.mean if metric.low is None else metric.low for _, metric in points]
    highs = [metric.mean if metric.high is None else metric.high for _, metric in points]
    margin = (max(highs) - min(lows)) * 0.1 or 0.05
    labels = ", ".join(f'"{commit}"' for commit, _ in points)
    lines = [f"    line [{', '.join(f'{value:.4f}' for value in values)}]" for values in (means, lows, highs)]
    return "\n".join(
        [
            "```mermaid",
            "xychart-beta",
            f'    title "{name} with both ends of its interval"',
            f"    x-axis [{labels}]",
            f'    y-axis "{name}" {min(lows) - margin:.3f} --> {max(highs) + margin:.3f}',
            *lines,
            "```",
        ]
    )


def _table(commits: Sequence[CommitMetrics], name: str) -> Table:
    result = Table(box=None, pad_edge=False)
    for heading in ("commit", "date", name, "", "subject"):
        result.add_column(heading, no_wrap=True)
    for commit, plot in zip(commits, _strips(commits, name), strict=True):
        result.add_row(commit.commit, commit.date, _cell(commit, name), plot, Text(commit.subject))
    return result


def _strips(commits: Sequence[CommitMetrics], name: str) -> list[str]:
    metrics = [commit.metrics.get(name) for commit in commits]
    ends = [end for metric in metrics if metric for end in (metric.low, metric.mean, metric.high) if end is not None]
    return [
        strip(metric.low, metric.mean, metric.high, low=min(ends), high=max(ends)) if metric else ""
        for metric in metrics
    ]


def _cell(commit: CommitMetrics, name: str) -> str:
    return format_metric(commit.metrics[name]) if name in commit.metrics else ""
