"""The report of classes in a row, as stars are: what leads, and in which order the classes stand."""

import html
import json
import re
from collections.abc import Callable

import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score, mean_absolute_error

from stages.evaluate import __main__ as evaluate
from stages.params import read_params
from stages.paths import Paths
from stages.report.__main__ import main
from stages.targets.target import Target
from tests.stages.report.predictions import predict, read_test
from tests.stages.report.render.documents import cells, tables

STARS = ("8", "9", "10", "11")


def report(make_project: Callable[..., Paths], *, metric: str) -> Paths:
    """A report of ordered classes whose order is not that of their names."""
    paths = make_project(labels=STARS, rows=300, seeds=(1,))
    curve = pd.read_csv(paths.curve(1))
    curve.assign(val_quadratic_kappa=curve.val_mcc).to_csv(paths.curve(1), index=False)
    paths.params.write_text(paths.params.read_text().replace("metric: macro_f1", f"metric: {metric}"))
    paths.labels.write_text(json.dumps(Target("ordered", list(STARS)).to_json()), encoding="utf-8")
    params = read_params(paths.params)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "predict_tokens", predict)
        evaluate.main(params, paths, 1)
    main(params, paths)
    return paths


@pytest.fixture(scope="module")
def reported(make_project: Callable[..., Paths]) -> Paths:
    return report(make_project, metric="auto")


def test_quadratic_kappa_leads_then_the_mean_absolute_error(reported: Paths) -> None:
    page = (reported.report / "report.html").read_text(encoding="utf-8")
    assert "<strong>Quadratic kappa</strong> of the model that ships" in page
    headline = json.loads(reported.headline.read_text())
    assert list(headline["test"]) == ["quadratic_kappa", "mean_absolute_error", "accuracy", "macro_f1", "mcc"]
    assert list(headline["val"]) == ["quadratic_kappa"]
    labels, preds = read_test(reported)  # places in the row of classes
    test = json.loads(reported.all_metrics.read_text())["champion"]["test"]
    assert test["quadratic_kappa"]["value"] == pytest.approx(cohen_kappa_score(labels, preds, weights="quadratic"))
    assert test["mean_absolute_error"]["value"] == pytest.approx(mean_absolute_error(labels, preds))


def test_the_lead_over_the_baselines_is_in_the_metric_that_leads(reported: Paths) -> None:
    baselines = json.loads(reported.all_metrics.read_text())["baselines"]
    assert {"quadratic_kappa", "mean_absolute_error"} <= baselines["tfidf"].keys()
    assert baselines["majority"]["quadratic_kappa"]["value"] == 0


def test_the_confusion_matrix_is_in_order(reported: Paths) -> None:
    page = (reported.report / "report.html").read_text(encoding="utf-8")
    heading, *rows = tables(page, "Confusion matrix on test")
    assert heading[1:] == list(STARS)
    assert [row[0] for row in rows] == list(STARS)


def test_each_class_has_its_probability(reported: Paths) -> None:
    from stages.predictions import read_predictions

    probabilities = read_predictions(reported.predictions(1))["test"].probabilities
    assert probabilities.shape[1] == len(STARS)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_beside_another_metric_stand_those_that_know_the_order(make_project: Callable[..., Paths]) -> None:
    paths = report(make_project, metric="macro_f1")
    page = (paths.report / "report.html").read_text(encoding="utf-8")
    assert "<strong>Macro F1</strong> of the model that ships" in page
    champion = json.loads(paths.all_metrics.read_text())["champion"]["test"]
    sentence = (
        "The labels are in order: quadratic kappa {:.3f} (interval {:.3f} to {:.3f}), mean absolute error {:.3f} ("
    )
    kappa = champion["quadratic_kappa"]
    expected = sentence.format(kappa["value"], kappa["low"], kappa["high"], champion["mean_absolute_error"]["value"])
    answer = html.unescape(re.sub(r"<[^>]*>", "", page[page.index('id="answer"') : page.index('class="identity"')]))
    assert expected in answer
    assert expected in (paths.report / "report.md").read_text(encoding="utf-8")
    for section in ("metrics", "baselines"):
        start = page.index(f'<section id="{section}">')
        table = [row[0] for row in cells(page[start : page.index("</table>", start)])]
        assert table[1:4] == ["Macro F1", "Quadratic kappa", "Mean absolute error"]


def test_the_headline_of_another_metric_is_that_of_classes(make_project: Callable[..., Paths]) -> None:
    headline = json.loads(report(make_project, metric="macro_f1").headline.read_text())
    assert list(headline["test"]) == ["macro_f1", "accuracy", "mcc"]
