"""The report of each recipe, and in two of them what the tutorials they follow show."""

import html
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import classification_report, confusion_matrix, matthews_corrcoef

from pipeline import recipes
from stages.evaluate import __main__ as evaluate
from stages.params import read_params
from stages.paths import Paths
from stages.report.__main__ import main
from stages.report.render.glossary import NAMES
from tests.stages.report.predictions import predict, read_test
from tests.stages.report.render.documents import cells, tables

ROOT = Path(__file__).parents[3]
MOSTLY_HAM = ("ham", "ham", "ham", "spam")
LABELS = {
    "answers": ("answered", "missed"),
    "google_play_reviews": tuple("12345"),
    "cola": ("unacceptable", "acceptable"),
    "rotten_tomatoes": ("negative", "positive"),
    "sms_spam": ("ham", "spam"),
}


@pytest.fixture(scope="module")
def report(make_project: Callable[..., Paths]) -> Callable[[str], Paths]:
    """Return a function that reports on a small project with a recipe's parameters, once for each."""
    made: dict[str, Paths] = {}

    def make(recipe: str) -> Paths:
        if recipe not in made:
            pattern = MOSTLY_HAM if recipe == "sms_spam" else ()
            paths = made[recipe] = make_project(labels=LABELS[recipe], rows=300, seeds=(1,), pattern=pattern)
            text = recipes.compose(ROOT, recipe, ["seeds=[1]", "evaluate.resamples=119"])
            paths.params.write_text(text, encoding="utf-8")
            params = read_params(paths.params)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(evaluate, "predict_tokens", predict)
                evaluate.main(params, paths, 1)
            main(params, paths)
        return made[recipe]

    return make


def page(paths: Paths) -> str:
    return (paths.report / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("recipe", LABELS)
def test_every_recipe_leads_with_its_own_metric_and_title(report: Callable[[str], Paths], recipe: str) -> None:
    paths = report(recipe)
    params, text = read_params(paths.params), page(paths)
    assert f"<h1>{html.escape(params.report.title)}</h1>" in text
    assert f"<strong>{NAMES[params.evaluate.metric]}</strong> of the model that ships" in text
    assert ("MCC of each batch" in text) == (recipe == "cola")
    assert f"with the best {params.finetune.monitor} were kept" in text
    matrix = tables(text, "Confusion matrix on test")
    assert [row[0] for row in matrix[1:]] == list(LABELS[recipe])


def test_sms_shows_the_tutorials_classification_report(report: Callable[[str], Paths]) -> None:
    paths = report("sms_spam")
    labels, preds = read_test(paths)
    expected = classification_report(labels, preds, target_names=LABELS["sms_spam"], output_dict=True)
    heading, *lines = tables(page(paths), "Classification report on test")
    assert heading == ["class", "precision", "recall", "F1", "rows"]
    rows = {name.replace("average", "avg"): [float(cell) for cell in row if cell] for name, *row in lines}
    assert list(rows) == list(expected) == ["ham", "spam", "accuracy", "macro avg", "weighted avg"]
    for name, numbers in expected.items():
        if name == "accuracy":
            assert rows[name] == pytest.approx([numbers, len(labels)], abs=0.006)
        else:
            assert rows[name] == pytest.approx(list(numbers.values()), abs=0.0006)


def test_sms_shows_the_tutorials_confusion_matrix(report: Callable[[str], Paths]) -> None:
    paths = report("sms_spam")
    heading, *rows = tables(page(paths), "Confusion matrix on test")
    assert heading[1:] == ["ham", "spam"]
    assert [row[0] for row in rows] == ["ham", "spam"]
    assert [[int(cell) for cell in row[1:]] for row in rows] == confusion_matrix(*read_test(paths)).tolist()
    assert any(line.startswith("| **ham** |") for line in (paths.report / "report.md").read_text().splitlines())


def test_cola_shows_a_table_per_epoch(report: Callable[[str], Paths]) -> None:
    paths = report("cola")
    epochs = re.search(r"Epochs of seed 1</summary>(.*?)</details>", page(paths), re.DOTALL)
    assert epochs
    heading, *rows = cells(epochs[1])
    curve = pd.read_csv(paths.curve(1))
    assert heading == [name.replace("_", " ") for name in curve.columns]
    assert [[float(cell) for cell in row] for row in rows] == curve.to_numpy().tolist()


def test_cola_shows_its_learning_curve_and_the_mcc_of_each_batch(report: Callable[[str], Paths]) -> None:
    paths = report("cola")
    text, curve = page(paths), pd.read_csv(paths.curve(1))
    for epoch, loss in zip(curve["epoch"], curve["val_loss"], strict=True):
        assert f"<title>val, seed 1, epoch {epoch}: {loss:.4g}</title>" in text
    labels, preds = read_test(paths)
    bars = [float(value) for value in re.findall(r"<title>batch \d+: (-?[\d.]+)</title>", text)]
    expected = [matthews_corrcoef(labels[at : at + 32], preds[at : at + 32]) for at in range(0, len(labels), 32)]
    assert len(bars) == 4
    assert bars == pytest.approx(expected, abs=0.0006)


def test_the_card_says_how_to_load_a_head_that_transformers_lacks(report: Callable[[str], Paths]) -> None:
    plain, hidden = (
        (report(recipe).report / "model/README.md").read_text(encoding="utf-8") for recipe in ("cola", "sms_spam")
    )
    assert "from transformers import pipeline" in plain
    assert "Classifier.load" not in plain
    assert "from transformers import pipeline" not in hidden
    assert 'Classifier.load("data/report/model")' in hidden
