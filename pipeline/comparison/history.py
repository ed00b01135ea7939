"""The headline metrics over commits: from data/report/metrics.json as git has it, without DVC and without data."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from pipeline.comparison import wording
from pipeline.comparison.markdown import code, table
from pipeline.repository import git
from stages.errors import PipelineError
from stages.params import parse_yaml
from stages.paths import Paths

PATH = (Paths().report / "metrics.json").as_posix()
ALWAYS = ("accuracy", "macro_f1", "mcc")
SUBJECT = 50


@dataclass(frozen=True)
class Value:
    """A metric with its interval, where it has one."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Point:
    """The results of one commit; the workspace has no hash and no date."""

    commit: str
    date: str
    subject: str
    metrics: Mapping[str, Value]


def read_history(root: Path, rev: str | None, *, most: int) -> list[Point]:
    """Return the commits that changed the results, newest first; before them the workspace, where it differs.

    Args:
        root: The project's folder.
        rev: Where to begin; None: at HEAD, and the workspace with it.
        most: Commits at most.

    Raises:
        PipelineError: The revision is unknown, or no commit has results.
    """
    points = []
    for commit in git.commits(root, rev or "HEAD", PATH, most=most):
        metrics = _parse(git.show(root, commit.sha, PATH))
        if metrics:  # a commit may also have removed or damaged the file
            points.append(Point(commit.sha[:9], commit.date, commit.subject, metrics))
    here = root / PATH
    if rev is None and here.is_file():
        now = _parse(here.read_text(encoding="utf-8"))
        if now and (not points or now != points[0].metrics):
            points.insert(0, Point("workspace", "", "", now))
    if not points:
        raise PipelineError(
            f"No commit of {rev or 'HEAD'} has results ({PATH}). Get them with: retune run, and commit."
        )
    return points


def headline(root: Path, points: Sequence[Point], metric: str | None) -> list[str]:
    """Return the metrics to show: `metric`, or evaluate.metric and the usual ones, as far as the newest point has them.

    Raises:
        PipelineError: No commit has `metric`.
    """
    known = list(dict.fromkeys(name for point in points for name in point.metrics))
    if metric:
        name = metric if "." in metric else f"test.{metric}"
        if name not in known:
            raise PipelineError(f"{name} is in no commit's results. There are: {', '.join(known)}.")
        return [name]
    path = root / "params.yaml"
    values = parse_yaml(path.read_text(encoding="utf-8"), name=str(path)) if path.is_file() else {}
    first = (values.get("evaluate") or {}).get("metric", "macro_f1")
    names = [f"test.{name}" for name in dict.fromkeys([first, *ALWAYS])]
    return [name for name in names if name in known] or known[:1]


def render(points: Sequence[Point], names: Sequence[str]) -> Group:
    """Return a table per metric for the terminal, with the intervals drawn on one scale."""
    return Group(*(part for name in names for part in (_table(points, name), Text())))


def render_markdown(points: Sequence[Point], names: Sequence[str]) -> str:
    """Return a table, and a plot of each metric (its mean and both ends) that GitHub draws."""
    rows = [
        [
            code(point.commit),
            point.date,
            *(_shown(point.metrics.get(name)) for name in names),
            code(point.subject, limit=SUBJECT),
        ]
        for point in points
    ]
    charts = [_chart(points, name) for name in names]
    return "\n\n".join([table(["commit", "date", *map(code, names), "subject"], rows), *charts])


def as_json(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Return plain values for `--json`."""
    return [asdict(point) for point in points]


def _chart(points: Sequence[Point], name: str) -> str:
    """A mermaid chart, oldest first; its labels are ours alone (hashes of commits), so nothing in them is live."""
    found = [(point.commit, point.metrics[name]) for point in reversed(points) if name in point.metrics]
    series = {
        "mean": [value.mean for _, value in found],
        "low": [value.mean if value.low is None else value.low for _, value in found],
        "high": [value.mean if value.high is None else value.high for _, value in found],
    }
    low, high = min(series["low"]), max(series["high"])
    room = (high - low) * 0.1 or 0.05
    labels = ", ".join(f'"{commit}"' for commit, _ in found)
    lines = [f"    line [{', '.join(f'{value:.4f}' for value in values)}]" for values in series.values()]
    return "\n".join(
        [
            "```mermaid",
            "xychart-beta",
            f'    title "{name} with both ends of its interval"',
            f"    x-axis [{labels}]",
            f'    y-axis "{name}" {low - room:.3f} --> {high + room:.3f}',
            *lines,
            "```",
        ]
    )


def _table(points: Sequence[Point], name: str) -> Table:
    result = Table(box=None, pad_edge=False)
    for heading in ("commit", "date", name, "", "subject"):
        result.add_column(heading, no_wrap=True)
    for point, strip in zip(points, _strips(points, name), strict=True):
        result.add_row(point.commit, point.date, _shown(point.metrics.get(name)), strip, Text(point.subject))
    return result


def _strips(points: Sequence[Point], name: str) -> list[str]:
    values = [point.metrics.get(name) for point in points]
    ends = [end for value in values if value for end in (value.low, value.mean, value.high) if end is not None]
    return [
        wording.strip(value.low, value.mean, value.high, low=min(ends), high=max(ends)) if value else ""
        for value in values
    ]


def _shown(value: Value | None) -> str:
    if value is None:
        return ""
    return f"{value.mean:.3f}" if value.low is None else f"{value.mean:.3f} ({value.low:.3f} to {value.high:.3f})"


def _parse(text: str | None) -> dict[str, Value]:
    try:
        values = json.loads(text or "{}")
    except ValueError:
        return {}
    return {
        f"{split}.{name}": Value(entry["mean"], entry.get("low"), entry.get("high"))
        for split in ("test", "val")
        for name, entry in (values.get(split) or {}).items()
        if isinstance(entry, Mapping) and isinstance(entry.get("mean"), int | float)
    }
