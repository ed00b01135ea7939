"""The report with folds: suspects in all rows, metrics of all rows beside those of test; no change without folds."""

import csv
import dataclasses
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.errors import ReportError
from stages.folds import read_fold, write_answers
from stages.params import Params, read_params
from stages.paths import Paths
from stages.report.folds import FoldAnswers, read_folds
from stages.report.label_sets.answers import find_suspects
from stages.schema import Crossfit
from stages.split.folds import divide_into_folds, write_folds
from stages.split_inputs import read_inputs
from stages.tokens import open_tokens
from tests.stages.report.predictions import predict
from tests.stages.report.reporting import make_report

FOLDS = Crossfit(folds=[1, 2, 3], method="frozen", seed=1)
STRONG = 2  # so that few confident predictions are wrong
WRONG = 7  # a row of train whose label the folds' models doubt


def with_folds(paths: Paths) -> Params:
    """Write folds, and answers that favour each row's label, but for one row; return params with folds."""
    tokens = open_tokens(paths.tokens)
    everything = np.arange(len(tokens))
    inputs = read_inputs(paths.tokens / "tokens.arrow")
    write_folds(paths, divide_into_folds(inputs, everything, folds=[1, 2, 3], seed=1), inputs)
    answers = predict(None, tokens, everything, strength=STRONG)
    answers[WRONG] = np.where(np.arange(answers.shape[1]) == tokens.labels[WRONG], 0.01, 0.99)
    for fold in FOLDS.folds:
        rows = read_fold(paths.fold(fold), rows=len(tokens)).predicted
        write_answers(paths.fold_predictions(fold), rows, answers[rows])
    return read_params(paths.params).model_copy(update={"crossfit": FOLDS})


@pytest.fixture(scope="module")
def reports(project: Paths, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The reports of the same results without and with folds."""
    folders = []
    for name in ("without", "with"):
        root = tmp_path_factory.mktemp("folds") / name
        shutil.copytree(project.root, root)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("stages.evaluate.__main__.predict_tokens", partial(predict, strength=STRONG))
            make_report(Paths(root), with_folds(Paths(root)) if name == "with" else None)
        folders.append(Paths(root).report)
    return folders[0], folders[1]


def metrics(folder: Path) -> Any:
    return json.loads((folder / "metrics.json").read_text())


def suspects(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "suspects.csv").read_text().splitlines()))


def test_suspects_are_sought_in_train_too(reports: tuple[Path, Path]) -> None:
    without, folded = reports
    assert {row["split"] for row in suspects(without)} <= {"val", "test"}
    assert suspects(folded)[0]["position"] == str(WRONG)
    assert {row["split"] for row in suspects(folded)} >= {"train", "test"}
    counts = metrics(folded)["suspects"]
    assert (counts["rows"], counts["found"]) == (120, len(suspects(folded)))
    assert counts["found"] == counts["contradicted"] < 0.25 * counts["confident"]
    assert len(suspects(without)) == metrics(without)["suspects"]["found"]


def test_suspects_are_named_by_id_and_by_another_label_than_theirs(project: Paths, reports: tuple[Path, Path]) -> None:
    rows = pd.read_parquet(project.rows)
    for folder in reports:
        lines = pd.read_csv(folder / "suspects.csv")
        assert lines["id"].tolist() == rows["id"][lines["position"]].tolist()
        assert (lines["label"] == rows["label"][lines["position"]].to_numpy()).all()
        assert (lines["label"] != lines["suggested"]).all()
        assert (lines["suggested_probability"] >= 0.5).all()


def test_the_metrics_of_all_rows_stand_beside_and_all_others_stay(reports: tuple[Path, Path]) -> None:
    without, folded = map(metrics, reports)
    assert "crossfit" not in without
    score = folded.pop("crossfit")
    assert {key: score[key] for key in ("method", "folds", "rows")} == {"method": "frozen", "folds": 3, "rows": 120}
    assert set(score["metrics"]) == set(without["test"])
    width = {name: entry["high"] - entry["low"] for name, entry in score["metrics"].items()}
    of_test = {name: entry["high"] - entry["low"] for name, entry in without["test"].items()}
    assert width["accuracy"] < of_test["accuracy"]
    assert {**folded, "suspects": None} == {**without, "suspects": None}
    assert (reports[0] / "headline.json").read_bytes() == (reports[1] / "headline.json").read_bytes()


@pytest.mark.parametrize("name", ["report.html", "report.md"])
def test_the_page_says_that_these_are_not_the_champion(reports: tuple[Path, Path], name: str) -> None:
    without, folded = ((folder / name).read_text() for folder in reports)
    for sentence in ("Over all rows, by the models of the folds", "the models of the folds, not the champion"):
        assert sentence in folded
        assert sentence not in without
    assert "rows of train, val and test have a label that is probably wrong" in folded
    assert "rows of val and test has a label that is probably wrong" in without  # one


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("missing", r"data/crossfit/2/predictions.parquet is missing. Create it with: dvc repro"),
        ("others", "other rows"),
    ],
)
def test_answers_that_are_missing_or_of_other_rows_are_refused(copy_project: Paths, fault: str, message: str) -> None:
    with_folds(copy_project)
    path = copy_project.fold_predictions(2)
    if fault == "missing":
        path.unlink()
    else:
        write_answers(path, np.array([0, 1]), np.zeros((2, 2), dtype=np.float32))
    with pytest.raises(ReportError, match=message):
        read_folds(copy_project, FOLDS)


def test_without_folds_leftover_answers_are_not_read(copy_project: Paths) -> None:
    with_folds(copy_project)
    assert read_folds(copy_project, FOLDS.model_copy(update={"folds": []})) is None


def folded(labels: Any, fold: Any) -> FoldAnswers:
    rows, labels = len(labels), np.array(labels)
    return FoldAnswers(
        method="frozen",
        positions=np.arange(rows),
        ids=[f"r{row}" for row in range(rows)],
        splits=["train"] * rows,
        labels=labels,
        groups=np.arange(rows),
        fold=np.array(fold),
        answers=np.zeros((rows, 2), dtype=np.float32),
    )


def test_a_class_that_one_fold_has_alone_is_not_judged() -> None:
    """The model of that fold never saw the class, so it would call each of its rows wrong."""
    judged = folded([0, 0, 1, 1, 2, 2], [1, 2, 1, 1, 2, 1]).judged(np.arange(12).reshape(6, 2))
    assert judged.ids == ["r0", "r1", "r4", "r5"]
    assert judged.answers.tolist() == [[0, 1], [2, 3], [8, 9], [10, 11]]


@pytest.mark.parametrize("lone", [True, False])
def test_a_label_of_sets_that_one_fold_has_or_lacks_alone_is_not_judged_and_its_rows_are(lone: bool) -> None:
    """The model of that fold never saw a row with it (or without it), so it would be sure of the opposite."""
    random = np.random.default_rng(0)
    fold = np.arange(60) % 3 + 1
    labels = np.stack([random.random(60) < 0.5, np.where((fold == 2) & (np.arange(60) < 24), lone, not lone)], axis=1)
    answers = np.where(labels, 0.9, 0.1)
    answers[:, 1] = np.where(fold == 2, 1 - lone, 0.5)
    answers[5, 0] = 1 - answers[5, 0]  # a wrong label of a row that has the lone one
    judged = folded(labels, fold).judged(answers)
    suspects, _ = find_suspects(judged, ["app", "lone"])
    assert [(suspect.id, suspect.label) for suspect in suspects] == [("r5", "app")]
    whole = dataclasses.replace(judged, unjudged=frozenset())
    suspects, too_weak = find_suspects(whole, ["app", "lone"])
    assert len(suspects) > 5 or too_weak == 1, "without the rule it floods the list"


@pytest.mark.parametrize("labels", [[0.5, 0.5, 1.0], [[True, False], [True, False], [False, True]]])
def test_numbers_and_sets_are_all_judged(labels: Any) -> None:
    rows = folded(labels, [1, 1, 2])
    assert len(rows.judged(np.zeros((3, 2)))) == 3
    assert dataclasses.replace(rows, fold=np.array([1, 1, 1])).judged(np.zeros((3, 2))).ids == ["r0", "r1", "r2"]
