"""What the recipe of numbers gives: the bundled statements and encoder, two commits compared, and texts predicted."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipeline.comparison.compare import compare
from pipeline.comparison.result import Comparison
from stages.inference.classifier import Classifier
from tests.end_to_end import bundled
from tests.pipeline.commands import in_process

pytestmark = pytest.mark.slow

SURE = "I am absolutely certain that the train leaves at nine, I checked it twice."
UNSURE = "I have no idea when the train leaves, it could be any time."


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits: `asleep` hardly learns, `learned`, which is the workspace, has half the epochs of the recipe."""
    return bundled.compared(
        tmp_path_factory.mktemp("number") / "project",
        "how_sure",
        "finetune.max_epochs=1",
        "finetune.limit_train_batches=1",
        "finetune.learning_rate=0.3",  # one step as long as this leads nowhere
        base="asleep",
        learned=["finetune.max_epochs=4"],
    )


@pytest.fixture(scope="module")
def compared(project: Path) -> Comparison:
    return compare(project, "asleep", "learned", max_drop=["test.mean_absolute_error=1"], require=["test.r2 > 0.1"])


def test_it_beats_the_baselines(project: Path) -> None:
    metrics = json.loads((project / "data/report/metrics.json").read_text())
    assert metrics["test"]["r2"]["mean"] > 0.15
    assert metrics["baselines"]["mean"]["mean_absolute_error"]["high"] < 0
    assert metrics["baselines"]["tfidf_ridge"]["mean_absolute_error"]["difference"] < 0


def test_intervals_of_single_predictions_hold_on_test(project: Path) -> None:
    champion = json.loads((project / "data/report/metrics.json").read_text())["champion"]
    assert champion["coverage"]["low"] <= 0.95 <= champion["coverage"]["high"]


def test_suspects_are_planted_errors_above_chance(project: Path) -> None:
    planted = set(pd.read_csv(bundled.ROOT / "data/samples/how_sure.contradictions.csv")["id"])
    measured = pd.read_parquet(project / "data/evaluate/42/predictions.parquet")["id"]
    suspects = pd.read_csv(project / "data/report/suspects.csv")["id"]
    assert len(suspects)
    assert suspects.isin(planted).mean() >= 3 * measured.isin(planted).mean()


def test_learning_is_judged(compared: Comparison) -> None:
    assert [row.name for row in compared.headline] == [
        *("test.mean_absolute_error", "test.r2", "test.root_mean_squared_error"),
    ]
    error, r2, _ = compared.headline
    assert error.verdict == "differ"  # one seed per side
    assert error.high < 0  # type: ignore[operator]
    assert error.gained
    assert r2.gained
    assert compared.passed, compared.gate
    assert compared.changes.params.keys() == {
        f"finetune.{key}" for key in ("max_epochs", "limit_train_batches", "learning_rate")
    }
    assert compared.flips is not None
    assert compared.flips.fixed > compared.flips.broken
    assert list(compared.calibration) == ["half width of the intervals of single predictions"]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["compare", "asleep", "learned"], ["these two models differ: test.mean_abs", "rows closer,", "range below"]),
        (["compare", "asleep", "learned", "--markdown"], ["rows closer,", "Closer rows", "| range | rows | closer |"]),
        (["compare", "learned", "asleep", "--max-drop", "test.mean_absolute_error=1"], ["rises by at most 1"]),
        (["log"], ["mean_absolute_error", "r2", "root_mean_squared_error"]),
        (["results"], ["r2", "mean_absolute_error"]),
    ],
)
def test_the_commands_show_numbers(arguments: list[str], shown: list[str], project: Path) -> None:
    done = in_process.run(project, *arguments)
    assert done.code == (3 if "--max-drop" in arguments else 0), done.err
    for text in shown:
        assert text in done.out
    assert "macro_f1" not in done.out


@pytest.mark.parametrize(
    ("what", "shown"),
    [
        (["metrics", "diff", "asleep", "learned"], "test.mean_absolute_error"),
        (["plots", "diff", "--json", "asleep", "learned"], "calibration.csv"),
    ],
)
def test_dvc_shows_numbers(what: list[str], shown: str, project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *what], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout


def test_the_saved_model_predicts(project: Path) -> None:
    sure, unsure = (answer.number for answer in Classifier.load(project / "data/report/model")([SURE, UNSURE]))
    assert sure > unsure + 20
    done = in_process.run(project, "predict", SURE, UNSURE)
    assert done.code == 0, done.err
    assert f"{sure:.3g}"[:2] in done.out
