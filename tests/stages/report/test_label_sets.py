"""The report of label sets: what it measures beside scikit-learn, what it suspects, and that every file is whole."""

import csv
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score, hamming_loss

from stages.metrics.bootstrap import Bootstrap
from stages.metrics.label_set_intervals import SetModel, measure_labels, measure_sets, set_differences
from stages.metrics.label_sets import label_confusions
from stages.metrics.rule import Trial
from stages.metrics.set_rule import SetRule
from stages.metrics.summary import MetricValue
from stages.predictions import Predictions
from stages.report.every_metrics import Findings
from stages.report.judged import judged_by_seeds
from stages.report.label_sets.answers import Suspect, confident_mistakes, find_suspects
from stages.report.label_sets.baselines import predict_frequent_set, predict_tfidf, score_baselines
from stages.report.label_sets.metrics import compute_metrics
from stages.report.label_sets.results import LabelScore, Results, SeedResult
from stages.report.label_sets.slices import expected_wrong, score_slices
from stages.report.mean_error import mean_error
from stages.report.suspects import suspects_csv

BOOTSTRAP = Bootstrap(100, 0.95, 0)
LABELS = ["app", "bill", "=SUM(A1)"]
ROWS = 80


def draw(seed: int = 0, *, skill: float = 1.5, rows: int = ROWS) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    labels = np.random.default_rng(5).random((rows, 3)) < np.array([0.5, 0.3, 0.1])
    scores = skill * (2 * labels - 1) + np.random.default_rng(seed).normal(size=labels.shape)
    return labels, (1 / (1 + np.exp(-scores))).astype(np.float32)


def predictions(labels: NDArray[np.bool_], probabilities: NDArray[np.float32], prefix: str = "r") -> Predictions:
    return Predictions(
        positions=np.arange(len(labels)),
        ids=[f"{prefix}{row}" for row in range(len(labels))],
        labels=labels,
        probabilities=probabilities,
        decided=probabilities >= 0.5,
    )


def seed_result(number: int, splits: dict[str, Predictions]) -> SeedResult:
    rule, metrics, per_label = SetRule(1.0, [None] * 3), {}, {}
    for name, split in splits.items():
        if not len(split):
            metrics[name], per_label[name] = {}, {}
            continue
        model = SetModel(split.probabilities, split.probabilities, split.preds)
        of_sets = measure_sets(split.labels, [model], groups=None, bootstrap=BOOTSTRAP)
        metrics[name] = {key: MetricValue(found.value, found.low, found.high) for key, found in of_sets.items()}
        confusions = label_confusions(split.labels, split.preds).tolist()
        found = measure_labels(split.labels, [model], groups=None, bootstrap=BOOTSTRAP)
        per_label[name] = {
            label: LabelScore(
                **{key: MetricValue(value.value, value.low, value.high) for key, value in scores.items()},
                support=int(split.labels[:, index].sum()),
                confusion=confusions[index],
            )
            for index, (label, scores) in enumerate(zip(LABELS, found, strict=True))
        }
    trials: dict[str, Trial | None] = dict.fromkeys(LABELS)
    return SeedResult(
        seed=number,
        metrics=metrics,
        predictions=splits,
        curve=pd.DataFrame({"epoch": [1]}),
        kept="epoch 1",
        per_label=per_label,
        rule=rule,
        trials=trials,
    )


def results_of(*seeds: Sequence[NDArray[np.float32]], labels: NDArray[np.bool_]) -> Results:
    """Results of seeds 1, 2, ...; each has the probabilities of val and of test, on the same rows."""
    made = [
        seed_result(number, {"val": predictions(labels, val, "v"), "test": predictions(labels, test, "t")})
        for number, (val, test) in enumerate(seeds, 1)
    ]
    return Results(LABELS, "micro_f1", made, made[0])


def test_a_difference_is_that_of_the_metrics_within_its_interval() -> None:
    labels, ours = draw()
    _, theirs = draw(1, skill=0.5)
    sides = [SetModel(side, side, side >= 0.5) for side in (ours, theirs)]
    found = set_differences(labels, *sides, groups=None, bootstrap=BOOTSTRAP)
    expected = f1_score(labels, sides[0].preds, average="micro") - f1_score(labels, sides[1].preds, average="micro")
    assert found["micro_f1"].value == pytest.approx(expected)
    assert found["micro_f1"].low > 0
    losses = [hamming_loss(labels, side.preds) for side in sides]
    assert found["hamming_loss"].value == pytest.approx(losses[0] - losses[1])
    assert found["hamming_loss"].high < 0
    back = set_differences(labels, *reversed(sides), groups=None, bootstrap=BOOTSTRAP)
    for name, estimate in found.items():
        assert estimate.low <= estimate.value <= estimate.high, name
        assert (back[name].low, back[name].high) == pytest.approx((-estimate.high, -estimate.low), abs=1e-6), name


def test_the_difference_of_equally_good_models_is_seldom_more_than_chance() -> None:
    outside = dict.fromkeys(("micro_f1", "macro_f1", "subset_accuracy", "hamming_loss"), 0)
    for run in range(60):
        generator = np.random.default_rng(run)
        labels = generator.random((60, 3)) < 0.35
        scores = 1.2 * (2 * labels - 1) + 0.7 * generator.normal(size=labels.shape)
        own = [1 / (1 + np.exp(-scores - 0.7 * generator.normal(size=labels.shape))) for _ in range(2)]
        sides = [SetModel(side, side, side >= 0.5) for side in own]
        for name, estimate in set_differences(labels, *sides, groups=None, bootstrap=BOOTSTRAP).items():
            if name in outside:
                outside[name] += not estimate.low <= 0 <= estimate.high
    assert max(outside.values()) <= 9, outside  # of 60: more than 5% by chance in 1 of 1,000 tests


def test_the_most_frequent_set_of_train() -> None:
    train = np.array([[1, 0], [1, 0], [0, 1], [1, 1], [0, 0]], dtype=bool)
    answer = predict_frequent_set(train, 3)
    assert answer.preds.tolist() == [[True, False]] * 3
    assert answer.probabilities[0] == pytest.approx([0.6, 0.4])


TEXTS = ["the app crashes", "my bill is wrong", "the app and the bill", "nothing at all", "app app", "bill please"] * 5
TRAIN = np.array([["app" in text, "bill" in text] for text in TEXTS])


def test_tfidf_learns_each_label() -> None:
    probabilities = predict_tfidf(TEXTS, TRAIN, ["bill and app", "at all"], max_train_rows=100, seed=0)
    assert (probabilities >= 0.5).tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize(
    ("texts", "labels", "shares"),
    [
        (["?"] * 30, TRAIN, TRAIN.mean(axis=0)),  # no word
        (TEXTS, np.zeros_like(TRAIN), [0, 0]),
        (TEXTS, np.ones_like(TRAIN), [1, 1]),
    ],
)
def test_with_nothing_to_learn_tfidf_gives_each_labels_share(
    texts: list[str], labels: NDArray[np.bool_], shares: list[float]
) -> None:
    assert predict_tfidf(texts, labels, ["app"], max_train_rows=100, seed=0)[0] == pytest.approx(shares)


@pytest.mark.parametrize("constant", [0, 1])
def test_one_label_that_varies_is_learned_beside_one_that_does_not(constant: int) -> None:
    labels = TRAIN.copy()
    labels[:, 0] = constant
    app, bill = predict_tfidf(TEXTS, labels, ["bill bill"], max_train_rows=100, seed=0)[0]
    assert app == constant
    assert bill > 0.5


def test_the_lead_over_a_baseline_has_the_direction_of_the_metric() -> None:
    labels, ours = draw()
    results = results_of((ours, ours), labels=labels)
    (scores,) = score_baselines(results, {"frequent_set": predict_frequent_set(labels, ROWS)}, BOOTSTRAP).values()
    assert scores["micro_f1"].low > 0
    assert scores["hamming_loss"].high < 0
    assert scores["micro_f1"].value + scores["micro_f1"].difference == pytest.approx(
        f1_score(labels, ours >= 0.5, average="micro")
    )


def suspects_of(results: Results) -> list[Suspect]:
    splits = results.champion.predictions
    answers = {name: [seed.calibrated(name) for seed in results.seeds] for name in splits}
    return find_suspects(judged_by_seeds(splits, answers), results.labels)[0]


def test_planted_errors_are_suspects_and_come_first() -> None:
    labels, probabilities = draw(skill=4)
    given = labels.copy()
    given[3, 0], given[9, 1] = ~given[3, 0], ~given[9, 1]
    suspects = suspects_of(results_of((probabilities, probabilities), labels=given))
    first = {(suspect.id, suspect.label, suspect.suggested) for suspect in suspects[:4]}
    words = {False: "no", True: "yes"}
    assert first == {
        (f"{split}{row}", LABELS[label], words[bool(labels[row, label])])
        for split in "vt"
        for row, label in ((3, 0), (9, 1))
    }
    doubts = [row.probability if row.given == "yes" else 1 - row.probability for row in suspects]
    assert doubts == sorted(doubts)


def test_suspects_are_safe_in_a_spreadsheet() -> None:
    labels, probabilities = draw(skill=4)
    given = labels.copy()
    given[3, 2] = ~given[3, 2]
    text = suspects_csv(Suspect, suspects_of(results_of((probabilities, probabilities), labels=given)))
    rows = list(csv.DictReader(text.splitlines()))
    assert list(rows[0]) == ["id", "position", "split", "label", "given", "suggested", "probability", "labels"]
    assert {row["label"][:2] for row in rows if "SUM" in row["label"]} == {"'="}


def test_mistakes_are_wrong_answers_surest_first() -> None:
    labels, probabilities = draw()
    mistakes = confident_mistakes(results_of((probabilities, probabilities), labels=labels), limit=1000)
    assert len(mistakes) == int((labels != (probabilities >= 0.5)).sum())
    sure = [row.probability if row.predicted == "yes" else 1 - row.probability for row in mistakes]
    assert sure == sorted(sure, reverse=True)
    assert min(sure) >= 0.5
    first = mistakes[0]
    assert (first.label in first.labels.split(", ")) == (first.predicted == "no")


def test_a_slice_of_harder_rows_has_an_excess_and_one_of_rarer_labels_has_none() -> None:
    generator = np.random.default_rng(0)
    labels = generator.random((600, 3)) < np.where(np.arange(600)[:, None] < 300, 0.2, 0.6)
    hard = np.arange(600) % 2 == 0
    chance = np.where(labels, 0.25, 0.05) + np.where(hard, 0.2, 0.0)[:, None]
    preds = labels ^ (generator.random(labels.shape) < chance)
    split = replace(predictions(labels, preds.astype(np.float32)), decided=preds)
    rare = np.arange(600) < 300
    slices = {("hard", "yes"): hard, ("hard", "no"): ~hard, ("rare", "yes"): rare, ("rare", "no"): ~rare}
    scores = score_slices(slices, split, confidence=0.95)
    assert next(iter(scores)) == "hard"
    assert scores["hard"]["yes"].low > 0 > scores["hard"]["no"].high
    for value in ("yes", "no"):
        found = scores["rare"][value]
        assert found.low < 0 < found.high
        assert found.wrong_share - found.expected_share == pytest.approx(found.excess)
    assert expected_wrong(labels, preds).mean() == pytest.approx((labels != preds).mean())


def test_a_mean_of_groups_is_less_certain_than_one_of_rows() -> None:
    values = np.repeat([0.0, 1.0, 0.0, 1.0], 10)
    groups = np.repeat(np.arange(4), 10)
    assert mean_error(values, groups, tail=0.025) > 3 * mean_error(values, None, tail=0.025)
    assert mean_error(values, np.zeros(40, np.int64), tail=0.025) == 1.5


def compute(results: Results):
    return compute_metrics(results, BOOTSTRAP, Findings(baselines={}, slices={}, suspects=[], notes=[]))


def test_a_model_that_always_gives_one_set_is_called_so() -> None:
    labels, probabilities = draw()
    flat = np.full_like(probabilities, 0.1)
    metrics = compute(results_of((probabilities, probabilities), (flat, flat), labels=labels))
    assert metrics.collapsed == {"2": "none"}
    assert metrics.mistakes["rows"] == ROWS
    assert metrics.test["micro_f1"].sd is not None
    assert metrics.test["micro_f1"].mean == pytest.approx(
        np.mean([f1_score(labels, side >= 0.5, average="micro", zero_division=0) for side in (probabilities, flat)])
    )


def test_without_test_rows_the_report_is_about_val() -> None:
    labels, probabilities = draw()
    none = predictions(labels[:0], probabilities[:0])
    seed = seed_result(1, {"val": predictions(labels, probabilities), "test": none})
    metrics = compute(Results(LABELS, "micro_f1", [seed], seed))
    assert metrics.test == {}
    assert metrics.per_label == seed.per_label["val"]
    assert all(row.split == "val" for row in suspects_of(Results(LABELS, "micro_f1", [seed], seed)))
