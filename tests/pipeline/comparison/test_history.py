"""`retune log`: the metrics over commits, from git alone."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.comparison import history
from pipeline.comparison.render.history import render_markdown, render_terminal
from stages.errors import PipelineError
from stages.metrics.summary import MetricSummary
from tests.pipeline.toy import git


def write(root: Path, mean: float, subject: str | None) -> None:
    entry = {"mean": mean, "sd": None, "low": mean - 0.1, "high": mean + 0.05}
    path = root / history.PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"champion": {"seed": 1}, "test": {"mcc": entry, "macro_f1": entry}, "val": {}}))
    if subject:
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", subject)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "params.yaml").write_text("evaluate: {metric: mcc}\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "Begin")
    git(tmp_path, "tag", "empty")
    write(tmp_path, 0.5, "First")
    (tmp_path / "other.txt").write_text("x")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "Nothing to do with results")
    write(tmp_path, 0.6, "Better | `worse` [red]")
    return tmp_path


def test_commits_that_changed_the_results_newest_first(project: Path) -> None:
    points = history.read_history(project, None, most=10)
    assert [point.subject for point in points] == ["Better | `worse` [red]", "First"]
    assert points[1].metrics["test.mcc"] == MetricSummary(mean=0.5, sd=None, low=0.4, high=0.55)
    assert history.choose_metrics(project, points, None) == ["test.mcc", "test.macro_f1"]
    assert len(history.read_history(project, None, most=1)) == 1
    assert [point.subject for point in history.read_history(project, "HEAD~2", most=10)] == ["First"]


def test_the_workspace_is_shown_where_it_differs(project: Path) -> None:
    write(project, 0.7, None)
    assert history.read_history(project, None, most=10)[0].commit == "workspace"
    assert history.read_history(project, "HEAD", most=10)[0].commit != "workspace"


def test_table_plot_and_json(project: Path) -> None:
    points = history.read_history(project, None, most=10)
    names = history.choose_metrics(project, points, "mcc")
    console = Console(width=100)
    with console.capture() as captured:
        console.print(render_terminal(points, names))
    assert "0.600 (0.500 to 0.650)" in captured.get()
    assert "[red]" in captured.get()
    assert "●" in captured.get()
    text = render_markdown(points, names)
    assert "    line [0.5000, 0.6000]" in text  # oldest first
    assert 'y-axis "test.mcc" 0.375 --> 0.675' in text
    assert "`worse`" not in text
    assert json.loads(json.dumps(history.as_json(points)))[0]["metrics"]["test.mcc"]["mean"] == 0.6


def test_nothing_to_show(project: Path) -> None:
    with pytest.raises(PipelineError, match="No commit of empty has metrics"):
        history.read_history(project, "empty", most=5)
    with pytest.raises(PipelineError, match="nowhere is not a revision"):
        history.read_history(project, "nowhere", most=5)
    points = history.read_history(project, None, most=5)
    with pytest.raises(
        PipelineError, match=r"No commit has the metric test.auc. Known metrics: test.mcc, test.macro_f1"
    ):
        history.choose_metrics(project, points, "auc")
