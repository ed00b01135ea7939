"""Temperature and calibration error on simulated models whose truth is known."""

import numpy as np
import pytest

from benchmarks.statistics_calibration import CONFIDENCES, temperature_losses
from stages.metrics.calibration import (
    PRIOR_SCALE,
    calibration_gaps,
    expected_calibration_error,
    fit_temperature,
    reliability,
    scale,
)
from stages.metrics.classification import SMALLEST


def _model(temperature: float, rows: int = 20_000, num_labels: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from softmax(logits), and a model that says softmax(logits * temperature)."""
    chance = np.random.default_rng(0)
    logits = chance.normal(size=(rows, num_labels)) * 2
    truth = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (truth.cumsum(1) < chance.random((rows, 1))).sum(1)
    told = np.exp(logits * temperature)
    return labels, (told / told.sum(1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_a_model_was_given_is_found_again(temperature: float) -> None:
    labels, probabilities = _model(temperature)
    result = fit_temperature(labels, probabilities)
    assert result == pytest.approx(temperature, rel=0.04)
    assert expected_calibration_error(labels, scale(probabilities, result)) < 0.012
    if temperature == 2.5:
        assert expected_calibration_error(labels, probabilities) > 0.1


def test_scaling_by_one_changes_nothing_and_heat_makes_less_sure() -> None:
    _, probabilities = _model(1.0, rows=50)
    np.testing.assert_allclose(scale(probabilities, 1.0), probabilities, atol=1e-6)
    assert (scale(probabilities, 3.0).max(1) < probabilities.max(1)).all()
    assert (scale(probabilities, 3.0).argmax(1) == probabilities.argmax(1)).all()


def test_val_without_rows_or_with_one_label_leaves_the_temperature_alone() -> None:
    assert fit_temperature(np.zeros(0, dtype=np.int64), np.zeros((0, 2), dtype=np.float32)) == 1
    assert fit_temperature(np.zeros(5, dtype=np.int64), np.full((5, 2), 0.5, dtype=np.float32)) == 1


def test_calibration_error_by_hand() -> None:
    positive = np.repeat([0.6, 0.9], 50)
    labels = np.concatenate([np.ones(20), np.zeros(30), np.ones(40), np.zeros(10)]).astype(np.int64)
    probabilities = np.stack([1 - positive, positive], axis=1)
    bins = reliability(labels, probabilities, bins=2)
    assert [(group.rows, round(group.confidence, 3), group.accuracy) for group in bins] == [
        (50, 0.6, 0.4),
        (50, 0.9, 0.8),
    ]
    assert expected_calibration_error(labels, probabilities, bins=2) == pytest.approx((0.2 + 0.1) / 2)
    numbers, gaps = calibration_gaps(labels, probabilities, bins=2)
    assert np.abs(np.bincount(numbers, weights=gaps)).sum() / 100 == pytest.approx(0.15)


def test_few_rows_get_few_bins() -> None:
    labels, probabilities = _model(1.0, rows=60)
    assert len(reliability(labels, probabilities)) == 2


def _noisy_model(num_labels: int, skill: float) -> tuple[np.ndarray, np.ndarray]:
    labels = np.random.default_rng(num_labels).integers(num_labels, size=400)
    logits = np.random.default_rng(1).normal(size=(400, num_labels)) * 2 + skill * np.eye(num_labels)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return labels, probabilities.astype(np.float32)


@pytest.mark.parametrize(("num_labels", "skill"), [(2, 3.0), (3, 3.0), (12, 3.0), (3, 1.0), (5, 6.0)])
def test_the_temperature_is_the_most_probable_one(num_labels: int, skill: float) -> None:
    labels, probabilities = _noisy_model(num_labels, skill)
    result = fit_temperature(labels, probabilities)

    def cost(heat: float) -> float:  # the log loss of all rows, and Laplace's prior of the temperature's logarithm
        own = np.maximum(scale(probabilities, heat)[np.arange(400), labels].astype(np.float64), SMALLEST)
        return float(-np.log(own).sum() + abs(np.log(heat)) / PRIOR_SCALE)

    assert cost(result) <= min(cost(heat) for heat in np.geomspace(0.05, 20, 400)) + 1e-3


def test_the_temperature_stays_between_its_bounds() -> None:
    labels = np.array([0, 1] * 5_000)
    modest = np.where(labels[:, None] == [0, 1], 0.6, 0.4).astype(np.float32)  # always right: no confidence is too much
    assert 0.05 <= fit_temperature(labels, modest) < 0.1
    assert fit_temperature(labels, 1 - modest) == pytest.approx(20.0, rel=1e-3)  # always wrong: no doubt is too much


@pytest.mark.parametrize("confidence", [0.9, 0.99, 0.9997])
@pytest.mark.parametrize("rows", [2, 30, 92, 300])
def test_rows_without_a_mistake_do_not_make_a_model_certain(rows: int, confidence: float) -> None:
    labels = np.array([0, 1] * (rows // 2))
    probabilities = np.where(labels[:, None] == [0, 1], confidence, 1 - confidence).astype(np.float32)
    assert scale(np.array([[0.4, 0.6]]), fit_temperature(labels, probabilities))[0, 1] < 0.77


@pytest.mark.parametrize("name", ["SMS-like", *(f"{classes} classes, calibrated" for classes in (2, 5, 20))])
@pytest.mark.parametrize("rows", [30, 92, 300])
def test_a_calibrated_model_loses_next_to_nothing(name: str, rows: int) -> None:
    unscaled, fitted, _ = temperature_losses(CONFIDENCES[name], rows, draws=40, seed=7)
    assert fitted < 1.015 * unscaled


@pytest.mark.parametrize("name", [name for name in CONFIDENCES if "confident" in name and not name.startswith("SMS")])
def test_a_model_that_is_wrongly_confident_gains_most_of_what_it_can(name: str) -> None:
    unscaled, fitted, best = temperature_losses(CONFIDENCES[name], 92, draws=15, seed=8)
    assert unscaled - fitted > 0.7 * (unscaled - best)


def test_the_calibration_error_of_fixed_numbers() -> None:
    labels, probabilities = _noisy_model(3, skill=3.0)
    assert expected_calibration_error(labels, probabilities) == pytest.approx(0.06564075954258441, abs=1e-9)
    bins, gaps = calibration_gaps(labels, probabilities)
    assert np.abs(np.bincount(bins, weights=gaps)).sum() / 400 == pytest.approx(0.06564075954258441, abs=1e-9)
    assert np.bincount(bins).tolist() == [27, 26, 27, 27, 26, 27, 27, 26, 27, 27, 26, 27, 27, 26, 27]


def test_a_probability_of_zero_is_scaled_to_a_small_one() -> None:
    scaled = scale(np.array([[1.0, 0.0]], dtype=np.float32), 2.0)
    assert scaled[0, 1] == pytest.approx(np.sqrt(np.finfo(np.float32).tiny))
    assert scaled.dtype == np.float32


@pytest.mark.parametrize("temperature", [0.06, 0.5, 1.0, 12.0, 19.0])
def test_the_temperature_makes_confidence_equal_accuracy(temperature: float) -> None:
    labels = np.array([1, 1, 1, 1, 0] * 20_000)  # 80% are right, so the logit has to become that of 0.8
    confidence = 1 / (1 + np.exp(-temperature * np.log(4)))
    probabilities = np.tile([1 - confidence, confidence], (100_000, 1))
    assert fit_temperature(labels, probabilities) == pytest.approx(temperature, rel=1e-3)


def test_the_confidence_is_the_probability_of_the_label_that_is_predicted() -> None:
    probabilities = np.array([[0.7, 0.3], [0.2, 0.8]] * 30)
    preds, labels = np.ones(60, dtype=np.int64), np.array([1, 1] * 30)
    assert [group.confidence for group in reliability(labels, probabilities, preds=preds, bins=2)] == pytest.approx(
        [0.3, 0.8]
    )
    assert expected_calibration_error(labels, probabilities, preds=preds, bins=2) == pytest.approx((0.7 + 0.2) / 2)
    bins, gaps = calibration_gaps(labels, probabilities, preds=preds, bins=2)
    assert bins.tolist() == [0, 1] * 30
    assert gaps == pytest.approx([0.7, 0.2] * 30)


@pytest.mark.parametrize(("rows", "bins"), [(1, 1), (24, 1), (49, 1), (50, 2), (374, 14), (375, 15), (4000, 15)])
def test_a_bin_has_at_least_25_rows(rows: int, bins: int) -> None:
    labels, probabilities = _model(1.0, rows=rows)
    assert len(reliability(labels, probabilities)) == bins
    assert calibration_gaps(labels, probabilities)[0].max() == bins - 1


def test_rows_of_equal_confidence_are_binned_in_their_order() -> None:
    positive = np.tile([0.6, 0.7, 0.9], 20)
    probabilities = np.stack([1 - positive, positive], axis=1)
    labels = np.where(np.arange(60) < 30, 1, 0)  # the edge of two bins of 30 is after the first 10 rows of 0.7
    assert [group.accuracy for group in reliability(labels, probabilities)] == pytest.approx([20 / 30, 10 / 30])
    bins, gaps = calibration_gaps(labels, probabilities)
    assert bins.tolist() == [0, 0, 1] * 10 + [0, 1, 1] * 10
    assert gaps == pytest.approx(labels - positive)
