"""Temperature and calibration error on simulated models whose truth is known."""

import numpy as np
import pytest

from stages.metrics.calibration import calibration_gaps, expected_calibration_error, fit_temperature, reliability, scale


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
    found = fit_temperature(labels, probabilities)
    assert found == pytest.approx(temperature, rel=0.04)
    assert expected_calibration_error(labels, scale(probabilities, found)) < 0.012
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
    assert [(one.rows, round(one.confidence, 3), one.accuracy) for one in bins] == [(50, 0.6, 0.4), (50, 0.9, 0.8)]
    assert expected_calibration_error(labels, probabilities, bins=2) == pytest.approx((0.2 + 0.1) / 2)
    numbers, gaps = calibration_gaps(labels, probabilities, bins=2)
    assert np.abs(np.bincount(numbers, weights=gaps)).sum() / 100 == pytest.approx(0.15)


def test_few_rows_get_few_bins() -> None:
    labels, probabilities = _model(1.0, rows=60)
    assert len(reliability(labels, probabilities)) == 2
