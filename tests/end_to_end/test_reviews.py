"""The bundled reviews, trained as a first `make run` trains them, with metrics that know the order of their stars."""

import html
import json
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

GOOD, BAD = "Love it, best app I have ever used!", "Crashes every time and lost all my data. Useless."


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits: `asleep` hardly learns, `learned` is as the recipe has it, and is the workspace."""
    return bundled.compared(
        tmp_path_factory.mktemp("ordered") / "project",
        "stars",
        "finetune.max_epochs=1",
        "finetune.limit_train_batches=1",
        base="asleep",
    )


@pytest.fixture(scope="module")
def compared(project: Path) -> Comparison:
    return compare(
        project,
        "asleep",
        "learned",
        max_drop=["test.mean_absolute_error=1", "test.quadratic_kappa=0"],
        require=["test.quadratic_kappa > 0.4"],
    )


def test_it_beats_the_most_frequent_class(project: Path) -> None:
    """Of 92 test rows the lead over TF-IDF is clear in macro F1, not in quadratic kappa."""
    lead = json.loads((project / "data/report/metrics.json").read_text())["baselines"]["majority"]
    assert lead["quadratic_kappa"]["low"] > 0
    assert lead["mean_absolute_error"]["high"] < 0


def test_the_encoder_earns_its_cost(project: Path) -> None:
    metrics = json.loads((project / "data/report/metrics.json").read_text())
    for name in ("majority", "tfidf"):
        assert metrics["baselines"][name]["macro_f1"]["low"] > 0, name


def test_suspects_are_known_contradictions_far_above_chance(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contradictions = set(pd.read_csv(project / "data/samples/app_reviews.contradictions.csv")["id"])
    measured = pd.read_parquet(project / "data/evaluate/42/predictions.parquet")["id"]
    suspects = pd.read_csv(project / "data/report/suspects.csv")["id"]
    known = measured.isin(contradictions).sum()
    hits = suspects.isin(contradictions).sum()
    precision, recall, chance = hits / len(suspects), hits / known, known / len(measured)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(suspects)} suspects of {len(measured)} rows, {known} of them known contradictions: "
            f"precision {precision:.2f} (chance {chance:.2f}), recall {recall:.2f}\n"
        )
    assert precision >= 4 * chance
    assert recall >= 0.5
    assert suspects.head(5).isin(contradictions).mean() >= 0.6  # the worst come first


def test_learning_is_judged(compared: Comparison) -> None:
    names = [row.name.removeprefix("test.") for row in compared.headline]
    assert names == ["quadratic_kappa", "mean_absolute_error", "accuracy", "macro_f1", "mcc"]
    kappa, error, *_ = compared.headline
    assert kappa.verdict == "differ"  # one seed per side
    assert kappa.low > 0  # type: ignore[operator]
    assert error.high < 0  # type: ignore[operator]
    assert error.gained
    assert compared.passed, compared.gate


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (
            ["compare", "asleep", "learned"],
            ["these two models differ: test.quadratic_kappa", "test.mean_absolute_error"],
        ),
        (["compare", "asleep", "learned", "--markdown"], ["quadratic_kappa", "mean_absolute_error"]),
        (["compare", "learned", "asleep", "--max-drop", "test.mean_absolute_error=0.1"], ["rises by at most 0.1"]),
        (["log"], ["quadratic_kappa", "mean_absolute_error"]),
        (["results"], ["quadratic_kappa", "mean_absolute_error"]),
    ],
)
def test_the_commands_show_the_metrics_that_know_the_order(
    arguments: list[str], shown: list[str], project: Path
) -> None:
    done = in_process.run(project, *arguments)
    assert done.code == (3 if "--max-drop" in arguments else 0), done.err
    for text in shown:
        assert text in html.unescape(done.out)  # Markdown has underscores as &#95;


def test_the_saved_model_gives_a_class(project: Path) -> None:
    good, bad = Classifier.load(project / "data/report/model")([GOOD, BAD])
    assert int(good.label) > int(bad.label)
    done = in_process.run(project, "predict", GOOD)
    assert done.code == 0, done.err
    assert good.label in done.out
