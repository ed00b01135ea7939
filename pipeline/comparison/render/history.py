"""The metrics of each commit: as a table in the terminal, or as Markdown with a plot that GitHub draws."""

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.text import Text

from pipeline.comparison.history import CommitMetrics, describe_lacking
from pipeline.comparison.render.markup import code, escape, table
from pipeline.comparison.render.strips import STRIP, strip
from pipeline.repository.results import format_metric
from stages.metrics.summary import format_value
from stages.shown import shorten, visible

SUBJECT = 30  # characters of a commit's subject that leave room for the plot
LONG_SUBJECT = 50  # characters of a subject in Markdown
FOR_A_FILE = 10_000  # columns
UNRECORDED = "Its dvc.lock does not record these metrics, so they may be of another run."


def render_terminal(commits: Sequence[CommitMetrics], names: Sequence[str]) -> Group:
    """Return a table per metric, with the intervals drawn on one scale where there is room."""
    tables = (part for name in names for part in (HistoryTable(commits, name), Text()))
    unrecorded = [] if _all_recorded(commits) else [f"* {UNRECORDED}"]
    return Group(*tables, *map(Text, [*unrecorded, *_lacking(commits, names)]))


class HistoryTable:
    """A metric of each commit. Values and intervals are never cut: the subject is, and the plot gives way to it."""

    def __init__(self, commits: Sequence[CommitMetrics], name: str) -> None:
        self._commits = commits
        self._name = name

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        cells = [_cells(commit, self._name) for commit in self._commits]
        plots = _strips(self._commits, self._name)
        headings = ["commit", "date", "seeds", f"{self._name}, mean", "ships"]
        room = options.max_width - _width([headings, *cells]) if console.is_terminal else FOR_A_FILE
        if room > STRIP + SUBJECT:
            headings, cells = [*headings, ""], [[*row, plot] for row, plot in zip(cells, plots, strict=True)]
            room -= STRIP + 1
        yield Text(_line([*headings, "subject"], [headings, *cells]), no_wrap=True, overflow="ignore")
        for commit, row in zip(self._commits, cells, strict=True):
            subject = shorten(visible(commit.subject), max(room, 1))
            yield Text(_line([*row, subject], [headings, *cells]).rstrip(), no_wrap=True, overflow="ignore")


def render_markdown(commits: Sequence[CommitMetrics], names: Sequence[str]) -> str:
    """Return a table, and a plot of each metric (mean and both ends of its interval)."""
    headings = ["commit", "date", "seeds", *(part for name in names for part in (f"{code(name)}, mean", "ships"))]
    rows = []
    for commit in commits:
        columns = [_cells(commit, name) for name in names]
        first = [code(commit.commit) + ("" if commit.recorded else "&#42;"), commit.date, columns[0][2]]
        rows.append(
            [*first, *(cell for cells in columns for cell in cells[3:]), code(commit.subject, limit=LONG_SUBJECT)]
        )
    charts = [_chart(commits, name) for name in names]
    notes = [] if _all_recorded(commits) else [f"&#42; {UNRECORDED}"]
    notes += [escape(note) for note in _lacking(commits, names)]
    return "\n\n".join([table([*headings, "subject"], rows), *notes, *charts])


def _lacking(commits: Sequence[CommitMetrics], names: Sequence[str]) -> list[str]:
    """Why cells are empty, each reason once."""
    reasons = [visible(describe_lacking(commits, name)) for name in names]
    return list(dict.fromkeys(reason for reason in reasons if reason))


def _all_recorded(commits: Sequence[CommitMetrics]) -> bool:
    return all(commit.recorded for commit in commits)


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


def _strips(commits: Sequence[CommitMetrics], name: str) -> list[str]:
    metrics = [commit.metrics.get(name) for commit in commits]
    ends = [end for metric in metrics if metric for end in (metric.low, metric.mean, metric.high) if end is not None]
    return [
        strip(metric.low, metric.mean, metric.high, low=min(ends), high=max(ends)) if metric else ""
        for metric in metrics
    ]


def _cells(commit: CommitMetrics, name: str) -> list[str]:
    ships = commit.model.get(name)
    seeds = "" if commit.seeds is None else str(commit.seeds)
    shown = commit.commit if commit.recorded else f"{commit.commit}*"
    return [shown, commit.date, seeds, _cell(commit, name), format_value(ships.mean) if ships else ""]


def _line(cells: Sequence[str], table: Sequence[Sequence[str]]) -> str:
    """The cells at the widths of the table's columns; those beyond them as they are."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    widths += [0] * (len(cells) - len(widths))
    return " ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))


def _width(table: Sequence[Sequence[str]]) -> int:
    """Columns of the terminal that the table takes, with a space after each column."""
    return sum(max(map(len, column)) + 1 for column in zip(*table, strict=True))


def _cell(commit: CommitMetrics, name: str) -> str:
    return format_metric(commit.metrics[name]) if name in commit.metrics else ""
