"""What the recipe of label sets gives: the bundled messages and encoder, two commits compared, and texts predicted."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from transformers import pipeline as hub_pipeline

from pipeline.comparison.compare import compare
from pipeline.comparison.result import Comparison
from stages.inference.classifier import Classifier
from stages.inference.label_set import SetPrediction
from tests.end_to_end import bundled
from tests.pipeline.commands import in_process

pytestmark = pytest.mark.slow

PAYMENT = "I was charged twice for my order, please refund the second payment to my card."
LABELS = ["account", "app", "delivery", "payment", "product", "staff"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits: `short` has one epoch, `learned`, which is the workspace, over half of those of the recipe."""
    return bundled.compared(
        tmp_path_factory.mktemp("sets") / "project",
        "support_messages",
        "finetune.max_epochs=1",
        base="short",
        learned=["finetune.max_epochs=7"],
    )


@pytest.fixture(scope="module")
def compared(project: Path) -> Comparison:
    return compare(project, "short", "learned", max_drop=["test.micro_f1=0.05"], require=["test.micro_f1 > 0.5"])


def test_it_beats_the_baselines(project: Path) -> None:
    metrics = json.loads((project / "data/report/metrics.json").read_text())
    assert metrics["test"]["micro_f1"]["mean"] > 0.6
    for name in ("frequent_set", "tfidf"):
        assert metrics["baselines"][name]["micro_f1"]["low"] > 0, name


def test_suspects_are_planted_errors_above_chance(project: Path) -> None:
    planted = pd.read_csv(bundled.ROOT / "data/samples/support_messages.contradictions.csv")
    wrong = set(zip(planted["id"], planted["topic"], strict=True))
    measured = set(pd.read_parquet(project / "data/evaluate/42/predictions.parquet")["id"])
    share = sum(row in measured for row, _ in wrong) / len(measured) / len(LABELS)
    suspects = pd.read_csv(project / "data/report/suspects.csv")
    hits = [pair in wrong for pair in zip(suspects["id"], suspects["label"], strict=True)]
    assert sum(hits) / len(hits) >= 3 * share


def test_more_epochs_are_judged(compared: Comparison) -> None:
    assert [row.name for row in compared.headline] == [
        *("test.micro_f1", "test.macro_f1", "test.sample_f1", "test.subset_accuracy"),
    ]
    first = compared.headline[0]
    assert first.verdict == "differ"  # one seed per side
    assert first.low > 0  # type: ignore[operator]
    assert compared.passed, compared.gate
    assert compared.changes.params == {"finetune.max_epochs": (1, 7)}
    assert compared.flips is not None
    assert compared.flips.fixed > compared.flips.broken
    assert {count.name for count in compared.flips.classes} == set(LABELS)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["compare", "short", "learned"], ["these two models differ: test.micro_f1", "rows better,"]),
        (["compare", "short", "learned", "--markdown"], ["these two models differ: test.micro&#95;f1", "rows better,"]),
        (["compare", "learned", "short", "--max-drop", "test.hamming_loss=0.01"], ["rises by at most 0.01"]),
        (["log"], ["micro_f1", "subset_accuracy"]),
        (["results"], ["micro_f1", "sample_f1"]),
    ],
)
def test_the_commands_show_sets(arguments: list[str], shown: list[str], project: Path) -> None:
    done = in_process.run(project, *arguments)
    assert (done.code != 0) == ("--max-drop" in arguments), done.err
    for text in shown:
        assert text in done.out
    assert "mcc" not in done.out


@pytest.mark.parametrize("what", [["metrics", "diff", "short", "learned"], ["plots", "diff", "--json", "short"]])
def test_dvc_shows_sets(what: list[str], project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *what], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert ("micro_f1" in done.stdout) or ("payment: yes" in done.stdout)


def test_the_saved_model_predicts(project: Path) -> None:
    (answer,) = Classifier.load(project / "data/report/model")([PAYMENT])
    assert isinstance(answer, SetPrediction)
    assert answer.labels == ["payment"]
    assert list(answer.probabilities) == LABELS
    other = hub_pipeline("text-classification", str(project / "data/report/model"), top_k=None, truncation=True)
    assert max(other([PAYMENT])[0], key=lambda entry: entry["score"])["label"] == "payment"
    done = in_process.run(project, "predict", PAYMENT)
    assert done.code == 0, done.err
    assert "payment" in done.out
