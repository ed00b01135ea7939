"""All metrics of one or several models, and paired differences."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import binomtest

from stages.metrics.bootstrap import Bootstrap, estimate
from stages.metrics.calibration import expected_calibration_error, scale
from stages.metrics.classification import mean_scores, row_values
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
    assert list(lead) == [name for name in result if not name.endswith("ece") and not name.startswith("calibrated_")]
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


def test_a_unit_is_the_next_rows_of_its_label_in_shuffled_order() -> None:
    labels = np.arange(100) % 3
    units, strata = group_rows(labels, seed=4, most=20)  # 34, 33 and 33 rows in units of 5
    assert units is not None
    shuffled = np.random.default_rng(4).permutation(100)
    for label in range(3):
        rows = shuffled[labels[shuffled] == label]
        assert units[rows].tolist() == (label * 7 + np.arange(len(rows)) // 5).tolist()
    assert strata.tolist() == [0] * 7 + [1] * 7 + [2] * 7


def test_many_rows_are_measured_like_few() -> None:
    labels = np.random.default_rng(2).integers(3, size=10_001)
    model, baseline = _model(1, labels, skill=1.5), _model(2, labels, skill=1.0)
    bootstrap = Bootstrap(resamples=40, confidence=0.95, seed=1)
    first, again = (measure(labels, [model], temperatures=[1.5], ordered=False, bootstrap=bootstrap) for _ in range(2))
    assert first == again
    of_rows = row_values(labels, model)
    for name, values in of_rows.items():
        assert first[name].value == pytest.approx(values.mean()), name
    assert first["ece"].value == pytest.approx(expected_calibration_error(labels, model))
    assert first["calibrated_ece"].value == pytest.approx(expected_calibration_error(labels, scale(model, 1.5)))
    assert first["log_loss"].error == pytest.approx(of_rows["log_loss"].std() / np.sqrt(10_001), rel=0.4)
    lead, repeated = (difference(labels, model, baseline, ordered=False, bootstrap=bootstrap) for _ in range(2))
    assert lead == repeated
    baseline_loss = row_values(labels, baseline)["log_loss"]
    assert lead["log_loss"].value == pytest.approx(of_rows["log_loss"].mean() - baseline_loss.mean())


def test_an_unseen_error_is_spread_over_the_other_classes() -> None:
    labels = np.repeat([0, 1, 2], 100)  # no row of the fourth class
    right = np.eye(4, dtype=np.float32)[labels] * 0.9 + 0.025
    result = measure(labels, [right], temperatures=[1.0], ordered=True, bootstrap=OPTIONS["bootstrap"])
    share = binomtest(300, 300).proportion_ci(0.95, method="exact").low
    wrong = (1 - share) / 3  # of each of the three other classes
    assert result["accuracy"].low == pytest.approx(share)
    assert result["balanced_accuracy"].low == pytest.approx(share)
    f1 = 2 * share / (1 + share + 2 * wrong)
    assert result["macro_f1"].low == pytest.approx(3 * f1 / 4)
    assert result["mean_absolute_error"].high == pytest.approx(wrong * (6 + 4 + 4) / 3)  # 1+2+3, 1+1+2, 2+1+1 classes


def test_the_interval_of_a_calibration_error_ends_at_zero_and_one() -> None:
    labels = np.array([0, 1] * 20)
    wrong = np.where(labels[:, None] == [0, 1], 0.01, 0.99).astype(np.float32)
    wrong[:2] = wrong[:2, ::-1]
    ece = measure(labels, [wrong], temperatures=[1.0], **OPTIONS)["ece"]
    assert ece.value == pytest.approx(0.99 - 2 / 40)
    assert ece.high == 1 < ece.value + 2 * ece.error
    right = measure(labels, [1 - wrong], temperatures=[1.0], **OPTIONS)["ece"]
    assert right.low == 0 > right.value - 2 * right.error
