"""`retune log`: the metrics over commits, from git alone."""

import hashlib
import json
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.comparison import history
from pipeline.comparison.render.history import render_markdown, render_terminal
from pipeline.repository.results import HEADLINE
from stages.errors import ParamsError, PipelineError
from stages.metrics.summary import MetricSummary
from tests.pipeline.toy import git


def write(root: Path, mean: float, subject: str | None) -> None:
    entry = {"mean": mean, "sd": None, "low": mean - 0.1, "high": mean + 0.05}
    path = root / HEADLINE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"champion": {"seed": 1}, "test": {"mcc": entry, "macro_f1": entry}, "val": {}}))
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    out = f"    - path: {HEADLINE}\n      hash: md5\n      md5: {md5}\n"
    (root / "dvc.lock").write_text(f"schema: '2.0'\nstages:\n  report:\n    cmd: x\n    outs:\n{out}")
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
    head, first = points
    assert head.commit == git(project, "rev-parse", "HEAD").strip()[:9]
    assert first.date == git(project, "log", "-1", "--format=%cs", "HEAD~2").strip()
    assert points[1].metrics["test.mcc"] == MetricSummary(mean=0.5, sd=None, low=0.4, high=0.55)
    assert history.choose_metrics(project, points, None) == ["test.mcc", "test.macro_f1"]
    assert len(history.read_history(project, None, most=1)) == 1
    assert [point.subject for point in history.read_history(project, "HEAD~2", most=10)] == ["First"]


def test_the_workspace_is_shown_where_it_differs(project: Path) -> None:
    write(project, 0.7, None)
    workspace, *commits = history.read_history(project, None, most=10)
    assert (workspace.commit, workspace.date, workspace.subject) == ("workspace", "", "")
    assert workspace.metrics["test.mcc"].mean == 0.7
    assert len(commits) == 2
    assert history.read_history(project, "HEAD", most=10)[0].commit != "workspace"


@pytest.mark.parametrize(
    "text", ["not json", "[1]", "{}", "", '{"test": 1}', "[" * 200_000, '{"test": {"mcc": {"mean": NaN}}}']
)
def test_a_commit_that_damaged_the_metrics_is_left_out(project: Path, text: str) -> None:
    (project / HEADLINE).write_text(text)
    git(project, "commit", "-qam", "Damage")
    assert [point.subject for point in history.read_history(project, None, most=10)] == [
        "Better | `worse` [red]",
        "First",
    ]


@pytest.mark.parametrize(
    ("params", "metric", "names"),
    [
        ("evaluate: {metric: mcc}", None, ["test.mcc", "test.macro_f1"]),
        ("evaluate: {}", None, ["test.macro_f1", "test.mcc"]),
        ("", None, ["test.macro_f1", "test.mcc"]),
        (None, None, ["test.macro_f1", "test.mcc"]),  # no params.yaml
        ("", "mcc", ["test.mcc"]),
        ("", "val.auc", ["val.auc"]),
    ],
)
def test_the_shown_metrics_are_the_asked_one_or_the_headline(
    tmp_path: Path, params: str | None, metric: str | None, names: list[str]
) -> None:
    if params is not None:
        (tmp_path / "params.yaml").write_text(params)
    points = [point(metrics={name: MetricSummary(0.5) for name in ("val.auc", "test.mcc", "test.macro_f1")})]
    assert history.choose_metrics(tmp_path, points, metric) == names


def test_without_a_headline_metric_the_first_known_is_shown(tmp_path: Path) -> None:
    points = [point(metrics={"val.auc": MetricSummary(0.5), "test.auc": MetricSummary(0.5)})]
    assert history.choose_metrics(tmp_path, points, None) == ["val.auc"]


def test_damaged_params_are_named_by_their_path(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("a: [")
    with pytest.raises(ParamsError, match=str(tmp_path / "params.yaml")):
        history.choose_metrics(tmp_path, [point(metrics={"test.mcc": MetricSummary(0.5)})], None)


def point(commit: str = "abc", *, metrics: dict[str, MetricSummary], subject: str = "Change") -> history.CommitMetrics:
    return history.CommitMetrics(commit, "2024-05-01", subject, metrics)


THREE = [
    point("ccc", metrics={"test.mcc": MetricSummary(0.6, None, 0.5, 0.7)}),
    point("bbb", metrics={}, subject="x" * 60),
    point("aaa", metrics={"test.mcc": MetricSummary(0.5)}),
]


def test_a_commit_without_the_metric_has_an_empty_cell_and_no_point() -> None:
    table, chart = render_markdown(THREE, ["test.mcc"]).split("\n\n")
    assert table.splitlines() == [
        "| commit | date | seeds | <code>test&#46;mcc</code>, mean | ships | subject |",
        "| --- | --- | --- | --- | --- | --- |",
        "| <code>ccc</code> | 2024-05-01 |  | 0.600 (0.500 to 0.700) |  | <code>Change</code> |",
        f"| <code>bbb</code> | 2024-05-01 |  |  |  | <code>{'x' * 49}…</code> |",
        "| <code>aaa</code> | 2024-05-01 |  | 0.500 |  | <code>Change</code> |",
    ]
    assert chart.splitlines() == [
        "```mermaid",
        "xychart-beta",
        '    title "test.mcc with both ends of its interval"',
        '    x-axis ["aaa", "ccc"]',
        '    y-axis "test.mcc" 0.480 --> 0.720',
        "    line [0.5000, 0.6000]",
        "    line [0.5000, 0.5000]",
        "    line [0.5000, 0.7000]",
        "```",
    ]


def test_the_chart_of_a_single_value_has_a_margin() -> None:
    assert 'y-axis "test.mcc" 0.450 --> 0.550' in render_markdown(THREE[2:], ["test.mcc"])


def test_the_table_draws_all_intervals_on_one_scale() -> None:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(render_terminal(THREE, ["test.mcc"]))
    lines = [line.split() for line in captured.get().splitlines()]
    assert lines[:4] == [
        ["commit", "date", "seeds", "test.mcc,", "mean", "ships", "subject"],
        ["ccc", "2024-05-01", "0.600", "(0.500", "to", "0.700)", "├─────────●─────────┤", "Change"],
        ["bbb", "2024-05-01", "x" * 60],
        ["aaa", "2024-05-01", "0.500", "●····················", "Change"],
    ]


class Terminal(Console):
    """A console that takes itself for a terminal."""

    is_terminal = True  # type: ignore[assignment]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("console_type", [Console, Terminal], ids=["piped", "terminal"])
def test_a_value_or_an_interval_is_never_cut(width: int, console_type: type[Console]) -> None:
    summary = MetricSummary(-0.123456, None, -0.2, 1.05)
    commits = [
        history.CommitMetrics(
            "abcdef012", "2024-05-01", "A subject " * 20, {"test.mcc": summary}, {"test.mcc": summary}, 5
        )
    ]
    console = console_type(width=width)
    with console.capture() as captured:
        console.print(render_terminal(commits, ["test.mcc"]), crop=False)
    heading, line, *_ = captured.get().splitlines()
    assert line.startswith("abcdef012 2024-05-01 5     -0.123 (-0.200 to 1.050) -0.123")
    assert heading.startswith("commit    date       seeds test.mcc, mean           ships")
    if console_type is Terminal and width >= 80:
        assert len(line) <= width
    assert ("├" in line) == (console_type is Console or width > 100)


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


def test_what_dvc_lock_does_not_record_is_marked(project: Path) -> None:
    (project / HEADLINE).write_text((project / HEADLINE).read_text().replace("0.6", "0.9"))
    git(project, "commit", "-qam", "Mixed")
    (project / HEADLINE).write_text((project / HEADLINE).read_text().replace("0.9", "0.8"))
    points = history.read_history(project, None, most=10)
    assert [point.recorded for point in points] == [False, False, True, True]
    console = Console(width=100)
    with console.capture() as captured:
        console.print(render_terminal(points, ["test.mcc"]))
    mixed = points[1].commit
    for text, mark in ((captured.get(), "*"), (render_markdown(points, ["test.mcc"]), "</code>&#42;")):
        assert f"workspace{mark} " in text
        assert f"{mixed}{mark} " in text
        assert f"{points[2].commit}{mark}" not in text
        assert "Its dvc.lock does not record these metrics, so they may be of another run." in text


def test_a_project_without_metrics_names_head(project: Path) -> None:
    git(project, "checkout", "-q", "empty")
    with pytest.raises(PipelineError, match="No commit of HEAD has metrics"):
        history.read_history(project, None, most=5)


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
