"""What `retune results` and the end of `retune run` show."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands.run import _show_results, results
from stages.errors import PipelineError
from stages.paths import Paths
from tests.pipeline import outcomes, toy
from tests.pipeline.commands import in_process

NAMES = ("accuracy", "macro_f1", "mcc", "auroc", "log_loss", "brier")


def write(root: Path, *, metric: str = "macro_f1", seeds: tuple[int, ...] = (1, 2, 3), **changes: Any) -> Path:
    """A report whose means are 0.1, 0.2, ... and whose model that ships has 0.05 more, by metric."""
    sd = 0.01 if len(seeds) > 1 else None
    means = {name: {"mean": number / 10, "sd": sd, "low": 0.01, "high": 0.99} for number, name in enumerate(NAMES, 1)}
    model = {name: {"value": number / 10 + 0.05, "low": 0.02, "high": 0.98} for number, name in enumerate(NAMES, 1)}
    champion = {"seed": seeds[-1], "test": model, "val": {}}
    report = {"metric": metric, "seeds": list(seeds), "champion": champion, "test": means, "val": {}}
    path = Paths(root).report / "metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(report | changes))
    return root


def shown(root: Path, capsys: pytest.CaptureFixture[str], *, brief: bool = False) -> list[str]:
    assert _show_results(root, brief=brief)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "mcc"])
@pytest.mark.parametrize("brief", [True, False], ids=["end of a run", "results"])
def test_evaluate_metric_comes_first(
    metric: str, brief: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(write(tmp_path, metric=metric), capsys, brief=brief)
    names = [line.split()[0] for line in lines if line and line.split()[0] in NAMES]
    assert names[0] == metric
    assert set(names) == ({"accuracy", "macro_f1", "mcc", "log_loss"} if brief else set(NAMES))
    assert ("Times:  retune results --timings" in lines) is brief


def test_with_several_seeds_both_figures_are_labelled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(write(tmp_path), capsys)
    assert lines[1].split() == ["model", "that", "ships,", "mean"]
    assert lines[2].split() == ["test", "seed", "3", "interval", "over", "3", "seeds", "interval"]
    assert lines[3].split() == ["macro_f1", "0.250", "0.020", "to", "0.980", "0.200", "0.010", "to", "0.990"]


def test_with_one_seed_there_is_one_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(write(tmp_path, seeds=(42,)), capsys)
    assert lines[2].split() == ["test", "seed", "42", "interval"]
    assert lines[3].split() == ["macro_f1", "0.250", "0.020", "to", "0.980"]


def test_results_of_an_older_version_are_the_means(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(write(tmp_path, champion={"seed": 1}, seeds=(1,)), capsys)
    assert [line.split() for line in lines if line.startswith("mcc")] == [["mcc", "0.300", "0.010", "to", "0.990"]]


def test_a_model_that_is_useless_is_said_in_the_last_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(write(tmp_path, collapsed={"3": "h\x1bam"}), capsys, brief=True)
    (line,) = [line for line in lines[-4:] if line.startswith("The model always predicts “h�am”")]
    assert "finetune.learning_rate" in line


def test_what_is_unusual_about_the_splits_is_in_the_last_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(write(tmp_path, notes=["test has no row of 'h\x1bam'", 3]), capsys, brief=True)
    assert "test has no row of 'h�am'" in lines[-4:]


def test_there_is_nothing_to_show_before_the_first_run(tmp_path: Path) -> None:
    assert not _show_results(tmp_path, brief=False)


def test_what_each_stage_took_is_a_line_of_fields(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is in the files: a number that was not measured, or makes no sense, is a dash."""
    speed = {"tokens_per_second": 5210, "share_of_matrix_rate": 0.434}
    written: dict[str, Any] = {
        "download@rows": {"seconds": 1, "peak_memory_mb": 70, "rows_per_second": 9000},
        "train@1": {"seconds": 62.34, "peak_memory_mb": 812, "computed_tokens": 70_000, **speed},
        "train@2": {"seconds": 8.0, "peak_memory_mb": 640, "computed_tokens": 0},
        "report": {"seconds": 3, "peak_memory_mb": "many", "tokens_per_second": math.nan},
        "cut": {"seconds": None},
    }
    shutil.rmtree(inside / "data/timing")
    (inside / "dvc.lock").unlink()
    for stage, content in written.items():
        Paths(inside).timing(stage).parent.mkdir(parents=True, exist_ok=True)
        Paths(inside).timing(stage).write_text(json.dumps(content))
    results(timings=True)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["stage", "seconds", "rows/s", "tokens/s", "share", "MB"],
        ["download@rows", "1.0", "9000", "-", "-", "70"],
        ["train@1", "62.3", "-", "5210", "43.4%", "812"],
        ["train@2", "8.0", "-", "kept", "-", "640"],
        ["report", "3.0", "-", "-", "-", "-"],
    ]


def test_without_timings_a_line_says_how_to_get_some(inside: Path) -> None:
    shutil.rmtree(inside / "data/timing")
    (inside / "dvc.lock").unlink()
    with pytest.raises(PipelineError, match=r"There are no timings yet: data/timing is empty\. Run: retune run"):
        results(timings=True)


@pytest.fixture(scope="module")
def two_branches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose branches main and other have results of the same headline; a remote has all of them."""
    folder = tmp_path_factory.mktemp("branches")
    root = outcomes.create(folder / "project")
    toy.add_remote(root, "../../remote")  # beside .dvc, so that copies have their own
    outcomes.set_params(root, seeds=[1])
    data = outcomes.rows(30)
    for number, branch in enumerate(("other", "main")):
        toy.git(root, "checkout", "-q", "-B", branch)
        outcomes.write_results(root, data, {1: outcomes.predict(data, wrong=3)})
        report = json.loads(Paths(root).all_metrics.read_text())
        report["test"]["log_loss"] = {"mean": 0.111 * (number + 1), "sd": None, "low": 0.0, "high": 1.0}
        report["champion"]["test"]["log_loss"] = {"value": 0.111 * (number + 1)}
        Paths(root).all_metrics.write_text(json.dumps(report))
        for name in ("report.html", "model/config.json"):
            (Paths(root).report / name).write_text(branch)
        for timing in (root / "data/timing").glob("*.json"):
            timing.write_text(json.dumps({"seconds": 12.5 + number}))
        outcomes.commit(root, branch)
        toy.dvc(root, "push", "-q")
    return folder


ALL_HERE = {"here", "here without a cache"}
HOW = {
    "other branch": "are not what dvc.lock records. To have them in the workspace: dvc checkout",
    "other branch without a cache": "are not what dvc.lock records. To have them in the workspace: dvc pull",
    "other branch, stored nowhere": "are not what dvc.lock records. Neither DVC's cache nor a remote has them. "
    "Write them again: retune run",
    "clone": "are not in the workspace. To have them in the workspace: dvc pull",
    "clone, nothing in the remote": "are not in the workspace. Neither DVC's cache nor a remote has them. "
    "Write them again: retune run",
    "clone, broken remote": "are not in the workspace. DVC's cache lacks them, and the remote can't be reached. "
    "Find out why: dvc pull",
}


def arrange(folder: Path, state: str) -> Path:
    root = folder / "project"
    if "clone" in state:
        toy.git(folder, "clone", "-q", "project", "clone")
        root = folder / "clone"
    if "other branch" in state:
        toy.git(root, "checkout", "-q", "other")
    if "without a cache" in state or "nowhere" in state:
        shutil.rmtree(root / ".dvc/cache")
    if "nothing" in state or "nowhere" in state:
        shutil.rmtree(folder / "remote")
    if "broken" in state:
        toy.add_remote(root, "ssh://127.0.0.1:1/nowhere")
    return root


@pytest.mark.parametrize("state", [*sorted(ALL_HERE), *HOW])
def test_what_is_of_another_commit_or_of_none_is_not_offered(two_branches: Path, tmp_path: Path, state: str) -> None:
    root = arrange(Path(shutil.copytree(two_branches, tmp_path / "copy", symlinks=True)), state)
    done, timings = in_process.run(root, "results"), in_process.run(root, "results", "--timings")
    assert done.code == 0, done.err
    shown = " ".join(done.out.split())
    assert "accuracy 0.900" in shown  # git has the headline
    here = state in ALL_HERE
    assert ("Report: data/report/report.html" in shown, "Model: data/report/model;" in shown) == (here, here)
    assert ("log_loss" in shown, "0.222" in shown) == (here, here)
    assert ("dvc.lock records" in shown or "not in the workspace" in shown) is not here
    if here:
        assert timings.out.count("13.5") > 5
        return
    assert f"data/report/metrics.json, data/report/report.html and data/report/model {HOW[state]}" in shown
    assert timings.code == 1
    assert "seconds" not in timings.out
    assert HOW[state] in " ".join(timings.err.split())


def test_timings_of_this_commit_are_shown_beside_those_that_are_not_here(two_branches: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(two_branches, tmp_path / "copy", symlinks=True)) / "project"
    Paths(root).timing("report").unlink()
    Paths(root).timing("split").unlink()
    Paths(root).timing("split").write_text('{"seconds": 99}')
    out = " ".join(in_process.run(root, "results", "--timings").out.split())
    assert "tokenize 13.5" in out
    assert "99" not in out
    assert "data/timing/split.json and data/timing/report.json are not what dvc.lock records. To have them in" in out


def test_a_headline_that_dvc_lock_does_not_record_is_said(two_branches: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(two_branches, tmp_path / "copy", symlinks=True)) / "project"
    text = Paths(root).headline.read_text().replace("0.9", "0.8")
    Paths(root).headline.unlink()
    Paths(root).headline.write_text(text)
    done = in_process.run(root, "results")
    assert "data/report/headline.json is not what dvc.lock records: its numbers may be of another run" in " ".join(
        done.out.split()
    )
