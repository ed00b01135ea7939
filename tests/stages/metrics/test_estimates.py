"""All metrics of one or several models, and paired differences."""

import numpy as np
import pytest

from stages.metrics.bootstrap import Bootstrap
from stages.metrics.classification import row_values
from stages.metrics.estimates import are_ordered, difference, measure, resampled_units

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


@pytest.mark.parametrize("name", ["auroc", "log_loss", "brier"])
@pytest.mark.parametrize("rarest", [0.33, 0.03])
@pytest.mark.parametrize("grouped", [False, True])
def test_the_lead_over_what_any_rows_give_has_the_models_own_interval(name: str, rarest: float, grouped: bool) -> None:
    labels = np.random.default_rng(0).choice(3, p=[rarest, 0.5, 0.5 - rarest], size=90)
    model, uniform = _model(1, labels, skill=1.5), np.full((90, 3), 1 / 3, dtype=np.float32)
    groups = np.arange(90) // 3 if grouped else None
    own, of_uniform = (
        measure(labels, [side], temperatures=[1.0], groups=groups, **OPTIONS)[name] for side in (model, uniform)
    )
    lead = difference(labels, model, uniform, groups=groups, **OPTIONS)[name]
    assert (lead.low, lead.high) == pytest.approx((own.low - of_uniform.value, own.high - of_uniform.value), abs=1e-4)


def test_a_model_does_not_differ_from_itself() -> None:
    model = _model(1, LABELS, skill=1.0)
    for name, lead in difference(LABELS, model, model, **OPTIONS).items():
        assert lead.value == 0, name
        assert -0.05 < lead.low < 0 < lead.high < 0.05, name  # other rows may show what none of these did


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


def test_the_names_and_their_order() -> None:
    labels = np.arange(30) % 3
    bootstrap = Bootstrap(resamples=20, confidence=0.95, seed=1)
    result = measure(labels, [_model(1, labels, skill=1.0)], temperatures=[1.0], ordered=True, bootstrap=bootstrap)
    assert list(result) == [
        *("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "micro_f1", "mcc", "kappa", "quadratic_kappa"),
        *("mean_absolute_error", "auroc", "average_precision", "log_loss", "brier", "calibrated_log_loss"),
        *("calibrated_brier", "ece", "calibrated_ece"),
    ]
    lead = difference(labels, *[_model(seed, labels, skill=1.0) for seed in (1, 2)], ordered=True, bootstrap=bootstrap)
    assert list(lead) == [name for name in result if not name.endswith("ece") and not name.startswith("calibrated_")]


def test_the_same_seed_gives_the_same_numbers() -> None:
    model = _model(1, LABELS, skill=1.5)
    groups = LABELS * 20 + np.arange(400) % 20
    first, again = (measure(LABELS, [model], temperatures=[1.5], groups=groups, **OPTIONS) for _ in range(2))
    assert first == again


def test_many_rows_are_measured_like_few() -> None:
    labels = np.random.default_rng(2).integers(3, size=10_001)
    model, baseline = _model(1, labels, skill=1.5), _model(2, labels, skill=1.0)
    bootstrap = Bootstrap(resamples=200, confidence=0.95, seed=1)
    result = measure(labels, [model], temperatures=[1.5], ordered=False, bootstrap=bootstrap)
    of_rows = row_values(labels, model)
    reach = 1.96 * of_rows["log_loss"].std() / np.sqrt(10_001)
    assert result["log_loss"].high - result["log_loss"].low == pytest.approx(2 * reach, rel=0.02)
    accuracy = float(np.mean(model.argmax(1) == labels))
    reach = 1.96 * np.sqrt(accuracy * (1 - accuracy) / 10_001)
    assert result["accuracy"].high - result["accuracy"].low == pytest.approx(2 * reach, rel=0.1)
    lead = difference(labels, model, baseline, ordered=False, bootstrap=bootstrap)
    baseline_loss = row_values(labels, baseline)["log_loss"]
    assert lead["log_loss"].value == pytest.approx(of_rows["log_loss"].mean() - baseline_loss.mean())
    assert lead["log_loss"].error == pytest.approx((of_rows["log_loss"] - baseline_loss).std() / 100, rel=0.2)


def test_units_are_rows_groups_or_at_most_so_many_made_of_them() -> None:
    assert resampled_units(4, None, seed=1, most=4) is None
    groups = np.array([7, 7, 3, 9, 3])
    units = resampled_units(5, groups, seed=1, most=3)
    assert units is not None
    assert units.tolist() == [1, 1, 0, 2, 0]
    few = resampled_units(500, np.arange(500) // 2, seed=1, most=100)
    assert few is not None
    assert (few[::2] == few[1::2]).all()  # a group stays whole
    assert sorted(np.bincount(few)) == [4] * 50 + [6] * 50
    assert np.bincount(resampled_units(500, None, seed=1, most=100)).tolist() == [5] * 100


def test_a_difference_counts_a_group_once() -> None:
    model, baseline = _model(1, LABELS, skill=1.5), _model(2, LABELS, skill=1.0)
    once = difference(LABELS, model, baseline, **OPTIONS)
    twice, apart = (
        difference(np.tile(LABELS, 2), np.tile(model, (2, 1)), np.tile(baseline, (2, 1)), groups=groups, **OPTIONS)
        for groups in (np.tile(np.arange(400), 2), None)
    )
    for name, lead in once.items():
        assert twice[name].error == pytest.approx(lead.error, rel=0.15), name
        assert apart[name].error < 0.85 * lead.error, name


def test_a_difference_has_the_chance_of_the_class_mix_in_it() -> None:
    """A baseline that is right on every row of one class: its lead depends on how many rows the class has."""
    labels = np.repeat([0, 1], [90, 10])
    right, first = (np.where(np.eye(2)[preds] == 1, 0.9, 0.1).astype(np.float32) for preds in (labels, 0 * labels))
    lead = difference(labels, right, first, **OPTIONS)["accuracy"]
    assert lead.value == pytest.approx(0.1)
    assert lead.error == pytest.approx(np.sqrt(0.1 * 0.9 / 100), rel=0.15)
