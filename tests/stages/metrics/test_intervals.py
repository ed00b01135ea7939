"""Every interval of `measure`: within the metric's range, around its value, never of zero width, and with coverage."""

import dataclasses

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom, binomtest

from benchmarks.statistics_intervals import METRICS, Cell, simulate
from stages.metrics.bootstrap import Bootstrap
from stages.metrics.classification import row_values
from stages.metrics.effective_rows import weigh_sample
from stages.metrics.estimates import difference, measure
from stages.metrics.names import value_range

BOOTSTRAP = Bootstrap(resamples=200, confidence=0.95, seed=1)


def probabilities(preds: np.ndarray, num_labels: int, sure: float) -> np.ndarray:
    rest = (1 - sure) / (num_labels - 1)
    return np.where(np.eye(num_labels)[preds] == 1, sure, rest).astype(np.float32)


def random_labels(rows: int, num_labels: int) -> np.ndarray:
    return np.random.default_rng(rows).integers(num_labels, size=rows)


CASES = {
    "every row right": lambda labels, classes: (labels, 0.9),
    "every row wrong": lambda labels, classes: ((labels + 1) % classes, 0.9),
    "one row wrong": lambda labels, classes: (np.where(np.arange(len(labels)) == 0, labels + 1, labels) % classes, 0.9),
    "one row right": lambda labels, classes: (np.where(np.arange(len(labels)) == 0, labels, labels + 1) % classes, 0.9),
    "certain and right": lambda labels, classes: (labels, 1.0),
    "certain and wrong": lambda labels, classes: ((labels + 1) % classes, 1.0),
    "one label for all": lambda labels, classes: (np.zeros_like(labels), 0.8),
    "a third wrong": lambda labels, classes: (
        np.where(np.arange(len(labels)) % 3 == 0, labels + 1, labels) % classes,
        0.8,
    ),
}
SIZES = [(2, 2), (8, 2), (30, 2), (200, 2), (12, 3), (20, 12), (150, 12)]
GROUPINGS = {"no groups": None, "pairs": 2, "two groups": -2, "one group": -1}


@pytest.mark.parametrize("grouping", GROUPINGS)
@pytest.mark.parametrize(("rows", "classes"), SIZES)
@pytest.mark.parametrize("case", CASES)
def test_an_interval_is_around_its_value_within_the_range_and_not_of_zero_width(
    case: str, rows: int, classes: int, grouping: str
) -> None:
    labels = np.concatenate([np.arange(classes), random_labels(rows, classes)])[:rows]
    preds, sure = CASES[case](labels, classes)
    size = GROUPINGS[grouping]
    groups = None if size is None else np.arange(rows) // (size if size > 0 else -(-rows // -size))
    model = probabilities(preds, classes, sure)
    result = measure(
        labels, [model], preds=[preds], temperatures=[1.0], ordered=classes > 2, groups=groups, bootstrap=BOOTSTRAP
    )
    for name, interval in result.items():
        lowest, highest = value_range(name)
        assert lowest <= interval.low <= interval.value <= interval.high <= highest, name
        assert f"{interval.low:.3f}" != f"{interval.high:.3f}", name
        assert np.isfinite(dataclasses.astuple(interval)).all(), name


@pytest.mark.parametrize("classes", [2, 3, 12])
@pytest.mark.parametrize("rows", [1, 2, 3, 5, 9, 20, 50, 300])
@pytest.mark.parametrize("sure", [0.9, 1.0, "none"])
@pytest.mark.parametrize("all_of_one_class", [False, True])
@pytest.mark.parametrize("case", ["every row right", "every row wrong", "one label for all"])
def test_no_interval_of_few_rows_is_shown_as_one_number(
    case: str, all_of_one_class: bool, sure: float | str, rows: int, classes: int
) -> None:
    labels = np.zeros(rows, np.int64) if all_of_one_class else np.arange(rows) % classes
    preds, _ = CASES[case](labels, classes)
    level = 1 / classes if sure == "none" else float(sure)
    model, baseline = probabilities(preds, classes, level), probabilities(np.zeros_like(preds), classes, 0.5)
    options = {"ordered": classes > 2, "bootstrap": BOOTSTRAP}
    measured = measure(labels, [model], preds=[preds], temperatures=[1.0], **options)
    leads = [difference(labels, model, other, preds=preds, **options) for other in (baseline, model)]
    for estimates in (measured, *leads):
        for name, interval in estimates.items():
            assert interval.low <= interval.value <= interval.high, name
            assert f"{interval.low:.3f}" != f"{interval.high:.3f}", name


def test_flat_intervals_are_narrow_with_many_rows_and_whole_where_one_class_measures_nothing() -> None:
    labels = np.arange(9) % 2
    same = probabilities(np.zeros_like(labels), 2, 0.8)
    lead = difference(labels, same, same, ordered=False, bootstrap=BOOTSTRAP)["accuracy"]
    limit = binomtest(0, 9).proportion_ci(0.95, method="exact").high
    assert (lead.low, lead.value, lead.high) == (pytest.approx(-limit), 0.0, pytest.approx(limit))
    many = np.arange(40_000) % 2
    same = probabilities(np.zeros_like(many), 2, 0.8)
    assert difference(many, same, same, ordered=False, bootstrap=BOOTSTRAP)["accuracy"].high < 1e-4
    one = np.zeros(50, np.int64)
    estimates = measure(
        one, [probabilities(one, 2, 0.9)], preds=[one], temperatures=[1.0], ordered=False, bootstrap=BOOTSTRAP
    )
    for name in ("mcc", "kappa", "auroc", "average_precision"):
        assert (estimates[name].low, estimates[name].high) == value_range(name)


def mid_p(right: int, rows: int, chance: float) -> float:
    """The share of right rows with which `right` or fewer have this chance, the value itself counted by half."""
    return float(
        brentq(lambda p: binom.cdf(right - 1, rows, p) + binom.pmf(right, rows, p) / 2 - chance, 1e-9, 1 - 1e-9)
    )


@pytest.mark.parametrize("wrong", [1, 4, 30])
def test_the_interval_of_accuracy_is_that_of_a_proportion(wrong: int) -> None:
    labels = np.arange(100) % 2
    preds = np.where(np.arange(100) < wrong, 1 - labels, labels)
    model = probabilities(preds, 2, 0.9)
    bootstrap = Bootstrap(resamples=20_000, confidence=0.95, seed=2)
    accuracy = measure(labels, [model], temperatures=[1.0], ordered=False, bootstrap=bootstrap)["accuracy"]
    tail = weigh_sample(labels * 1.0, None, confidence=0.95).tail
    assert accuracy.low == pytest.approx(mid_p(100 - wrong, 100, 1 - tail), abs=0.003)
    assert accuracy.high == pytest.approx(mid_p(100 - wrong, 100, tail), abs=0.003)


def test_classes_of_one_row_are_not_certain_to_be_predicted_as_that_row() -> None:
    labels = np.arange(40)
    preds = np.where(labels < 8, (labels + 1) % 40, labels)
    bootstrap = Bootstrap(resamples=4000, confidence=0.95, seed=2)
    model = probabilities(preds, 40, 0.9)
    accuracy = measure(labels, [model], temperatures=[1.0], ordered=False, bootstrap=bootstrap)["accuracy"]
    wilson = binomtest(32, 40).proportion_ci(0.95, method="wilson")
    assert (accuracy.low, accuracy.high) == pytest.approx((wilson.low, wilson.high), abs=0.03)


def test_a_group_is_one_unit_in_every_metric() -> None:
    """Rows given twice, each pair a group: the intervals are those of the rows given once."""
    labels = np.random.default_rng(3).integers(3, size=150)
    logits = np.random.default_rng(4).normal(size=(150, 3)) + 1.5 * np.eye(3)[labels]
    model = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    options = {"temperatures": [1.3], "ordered": True, "bootstrap": Bootstrap(3000, 0.95, 1)}
    once = measure(labels, [model], **options)
    twice, apart = (
        measure(np.tile(labels, 2), [np.tile(model, (2, 1))], groups=groups, **options)
        for groups in (np.tile(np.arange(150), 2), None)
    )
    for name, interval in once.items():
        width = interval.high - interval.low
        if not name.endswith("ece"):  # twice the rows have more bins
            assert twice[name].value == pytest.approx(interval.value), name
            assert twice[name].high - twice[name].low == pytest.approx(width, rel=0.1), name
            assert apart[name].high - apart[name].low < 0.85 * width, name
        assert twice[name].high - twice[name].low > 1.15 * (apart[name].high - apart[name].low), name


def test_several_models_are_less_uncertain_than_one_where_they_err_on_other_rows() -> None:
    labels = np.random.default_rng(3).integers(2, size=300)
    models = []
    for seed in range(4):
        evidence = np.random.default_rng(seed).normal(size=300) + 1.5 * (2 * labels - 1)
        models.append(np.stack([1 / (1 + np.exp(evidence)), 1 / (1 + np.exp(-evidence))], 1).astype(np.float32))
    options = {"ordered": False, "bootstrap": BOOTSTRAP}
    one = measure(labels, models[:1], temperatures=[1.0], **options)
    four = measure(labels, models, temperatures=[1.0] * 4, **options)
    for name in ("accuracy", "macro_f1", "mcc", "auroc", "log_loss", "brier"):
        assert four[name].high - four[name].low < 0.75 * (one[name].high - one[name].low), name


def test_the_values_of_rows_are_those_that_compare_pairs() -> None:
    labels = np.arange(48) % 12
    logits = np.random.default_rng(4).normal(size=(48, 12)) + 1.5 * np.eye(12)[labels]
    model = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    result = measure(labels, [model], temperatures=[1.0], ordered=False, bootstrap=BOOTSTRAP)
    for name, values in row_values(labels, model).items():
        assert result[name].value == pytest.approx(values.mean(), abs=1e-12), name


SMALL = [
    Cell("balanced", (0.5, 0.5), 1.5, 30, "fixed"),
    Cell("99/1", (0.99, 0.01), 2.5, 200),
    Cell("12 classes", (1 / 12,) * 12, 2.5, 60),
    Cell("70/30", (0.7, 0.3), 2.1, 500, icc=0.3, hardness=1.41),
    Cell("balanced", (0.5, 0.5), 1.5, 92, seeds=3),
]


@pytest.mark.parametrize("cell", SMALL, ids=lambda cell: cell.key)
def test_intervals_contain_the_truth_as_often_as_they_say(cell: Cell) -> None:
    """Like cells of benchmarks/statistics.md; of 50 intervals of 95%, 41 or fewer hold in 1 of 2,000 runs."""
    counts = simulate(cell, 50, seed=5, resamples=150)
    for name in METRICS:
        assert counts[name]["held"] >= 42, name
        assert counts[name]["zero"] == 0, name
