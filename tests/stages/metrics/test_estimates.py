"""All metrics of one or several models, and paired differences."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import binomtest

from stages.metrics.bootstrap import Bootstrap, estimate
from stages.metrics.classification import mean_scores
from stages.metrics.estimates import are_ordered, difference, group_rows, measure

OPTIONS = {"ordered": False, "bootstrap": Bootstrap(resamples=500, confidence=0.95, seed=1)}


def _model(seed: int, labels: np.ndarray, *, skill: float) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(size=(len(labels), 3)) + skill * np.eye(3)[labels]
    return (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)


LABELS = np.random.default_rng(9).integers(3, size=400)


def test_every_value_lies_in_its_interval() -> None:
    for name, interval in measure(LABELS, [_model(1, LABELS, skill=1.5)], temperatures=[1.3], **OPTIONS).items():
        assert interval.low <= interval.value <= interval.high, name
        assert interval.error > 0, name


def test_several_models_give_the_mean_of_each_ones_metrics() -> None:
    models = [_model(seed, LABELS, skill=1.5) for seed in (1, 2)]
    together = measure(LABELS, models, temperatures=[1.0, 2.0], **OPTIONS)
    alone = [
        measure(LABELS, [model], temperatures=[heat], **OPTIONS) for model, heat in zip(models, (1.0, 2.0), strict=True)
    ]
    for name, interval in together.items():
        assert interval.value == pytest.approx((alone[0][name].value + alone[1][name].value) / 2), name


def test_no_error_seen_is_not_no_error() -> None:
    right = np.eye(3, dtype=np.float32)[LABELS] * 0.9 + 0.03
    result = measure(LABELS, [right], temperatures=[1.0], **OPTIONS)
    exact = binomtest(400, 400).proportion_ci(0.95, method="exact").low
    assert result["accuracy"].low == pytest.approx(exact)
    assert 0.9 < result["mcc"].low < 1
    assert result["macro_f1"].high == 1


def test_a_difference_is_that_of_the_values_and_narrower_than_unpaired() -> None:
    model = _model(1, LABELS, skill=1.5)
    worse = (0.8 * model + 0.2 * _model(2, LABELS, skill=0.0)).astype(np.float32)
    lead = difference(LABELS, model, worse, **OPTIONS)
    of_model, of_worse = (
        measure(LABELS, [probabilities], temperatures=[1.0], **OPTIONS) for probabilities in (model, worse)
    )
    for name, result in lead.items():
        assert result.value == pytest.approx(of_model[name].value - of_worse[name].value), name
        assert result.low <= result.value <= result.high, name
    unpaired = np.hypot(of_model["log_loss"].error, of_worse["log_loss"].error)
    assert lead["log_loss"].error < unpaired / 2


def test_a_model_does_not_differ_from_itself() -> None:
    model = _model(1, LABELS, skill=1.0)
    assert {(lead.low, lead.value, lead.high) for lead in difference(LABELS, model, model, **OPTIONS).values()} == {
        (0, 0, 0)
    }


@pytest.mark.parametrize(
    ("labels", "told", "ordered"),
    [
        (["1", "2", "3"], "auto", True),
        (["0", "1"], "auto", False),
        (["a", "b", "c"], "auto", False),
        (["a", "b", "c"], "yes", True),
        (["1", "2", "3"], "no", False),
    ],
)
def test_order_is_told_or_seen_in_the_names(labels: list[str], told: str, ordered: bool) -> None:
    assert are_ordered(labels, told) == ordered


def test_many_rows_are_drawn_in_groups_with_the_same_interval() -> None:
    labels = np.random.default_rng(3).integers(3, size=3000)
    units, strata = group_rows(labels, seed=1, most=400)
    assert units is not None
    assert len(strata) == units.max() + 1 <= 403
    assert (strata[units] == labels).all()
    assert np.bincount(units).max() == 8
    values = {"loss": np.random.default_rng(4).exponential(size=3000) + labels}
    bootstrap = Bootstrap(resamples=4000, confidence=0.9, seed=1)
    rows = estimate(mean_scores(values), np.ones(3000, dtype=np.int64), labels, bootstrap)["loss"]
    groups = estimate(mean_scores(values, units), np.ones(len(strata), dtype=np.int64), strata, bootstrap)["loss"]
    assert groups.value == pytest.approx(rows.value)
    assert groups.error == pytest.approx(rows.error, rel=0.08)  # 400 groups know their spread to 4%


def test_estimates_of_fixed_numbers() -> None:
    labels = np.random.default_rng(3).integers(3, size=400)

    def model(seed: int, skill: float) -> np.ndarray:
        logits = np.random.default_rng(seed).normal(size=(400, 3)) * 2 + skill * np.eye(3)[labels]
        return (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)

    models, bootstrap = [model(1, 3.0), model(2, 2.0)], Bootstrap(resamples=300, confidence=0.9, seed=3)
    result = measure(labels, models, temperatures=[1.3, 0.8], ordered=True, bootstrap=bootstrap)
    lead = difference(labels, *models, ordered=True, bootstrap=bootstrap)
    assert dataclasses.astuple(result["macro_f1"]) == pytest.approx(
        (0.7176096814422055, 0.6910584475905235, 0.7468111639071502, 0.016003938032570147), abs=1e-9
    )
    assert dataclasses.astuple(result["calibrated_ece"]) == pytest.approx(
        (0.116853081099689, 0.09554745249420718, 0.13815870970517083, 0.0129529024688775), abs=1e-9
    )
    assert dataclasses.astuple(lead["auroc"]) == pytest.approx(
        (0.1059485530829763, 0.07136332580436093, 0.1356573344158957, 0.02014727330573638), abs=1e-9
    )
    assert list(result) == [
        *("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "micro_f1", "mcc", "kappa", "quadratic_kappa"),
        *("mean_absolute_error", "auroc", "average_precision", "log_loss", "brier", "calibrated_log_loss"),
        *("calibrated_brier", "ece", "calibrated_ece"),
    ]


def test_an_unseen_error_raises_the_upper_end_of_a_metric_where_lower_is_better() -> None:
    right = np.eye(3, dtype=np.float32)[LABELS] * 0.9 + 0.03
    result = measure(LABELS, [right], temperatures=[1.0], ordered=True, bootstrap=OPTIONS["bootstrap"])
    assert result["mean_absolute_error"].low == 0
    assert result["mean_absolute_error"].high > 1 - result["accuracy"].low  # a miss is one or two classes off


def test_one_model_that_errs_keeps_the_resampled_interval() -> None:
    right = np.eye(3, dtype=np.float32)[LABELS] * 0.9 + 0.03
    one_error = right.copy()
    one_error[0] = np.roll(one_error[0], 1)
    exact = binomtest(399, 400).proportion_ci(0.95, method="exact").low
    both = measure(LABELS, [right, one_error], temperatures=[1.0, 1.0], **OPTIONS)
    assert both["accuracy"].value == 1 - 1 / 800
    assert both["accuracy"].low > exact
    assert both["accuracy"].low not in (1.0, measure(LABELS, [right], temperatures=[1.0], **OPTIONS)["accuracy"].low)


def test_rows_up_to_the_limit_are_not_grouped() -> None:
    labels = np.array([0, 1, 0, 1])
    assert group_rows(labels, seed=1, most=4)[0] is None
    units, strata = group_rows(labels, seed=1, most=3)
    assert units is not None
    assert sorted(strata.tolist()) == [0, 1]
    assert (strata[units] == labels).all()
