"""The calibration error without what chance adds to it."""

import numpy as np
import pytest

from stages.metrics.bootstrap import Bootstrap
from stages.metrics.calibration import expected_calibration_error
from stages.metrics.calibration_interval import measure_calibration

BOOTSTRAP = Bootstrap(resamples=500, confidence=0.95, seed=1)


def model(rows: int, seed: int, *, sureness: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, probabilities and predicted labels; with a sureness of 1 the probabilities are right."""
    chance = np.random.default_rng(seed)
    logits = chance.normal(size=rows) * 2
    labels = (chance.random(rows) < 1 / (1 + np.exp(-logits))).astype(np.int64)
    positive = 1 / (1 + np.exp(-sureness * logits))
    probabilities = np.stack([1 - positive, positive], axis=1).astype(np.float32)
    return labels, probabilities, probabilities.argmax(1)


def test_a_perfect_model_reads_nothing_half_of_the_time_and_its_interval_begins_at_zero() -> None:
    values, plain, begins = [], [], 0
    for seed in range(60):
        labels, probabilities, preds = model(92, seed)
        estimate = measure_calibration(labels, [probabilities], [preds], groups=None, bootstrap=BOOTSTRAP)
        values.append(estimate.value)
        plain.append(expected_calibration_error(labels, probabilities))
        begins += estimate.low == 0
    assert np.mean(plain) > 0.035  # what chance alone gives
    assert np.median(values) < 0.01
    assert begins >= 55


def test_a_model_that_is_too_sure_reads_how_much() -> None:
    truth = expected_calibration_error(*model(200_000, 0, sureness=3.0)[:2], bins=3)
    estimates = [
        measure_calibration(labels, [probabilities], [preds], groups=None, bootstrap=BOOTSTRAP)
        for labels, probabilities, preds in (model(92, seed, sureness=3.0) for seed in range(60))
    ]
    assert np.median([estimate.value for estimate in estimates]) == pytest.approx(truth, abs=0.02)
    assert sum(estimate.low <= truth <= estimate.high for estimate in estimates) >= 52


def test_many_rows_read_what_the_bins_say() -> None:
    labels, probabilities, preds = model(20_000, 3, sureness=2.0)
    estimate = measure_calibration(labels, [probabilities], [preds], groups=None, bootstrap=BOOTSTRAP)
    assert estimate.value == pytest.approx(expected_calibration_error(labels, probabilities), abs=0.004)
    assert 0 < estimate.low < estimate.value < estimate.high < estimate.low + 0.03


def test_the_gap_is_that_of_the_label_that_the_rule_predicts() -> None:
    labels, probabilities, _ = model(20_000, 3)
    second = np.ones_like(labels)  # always predicted: right as often as its probability says
    estimate = measure_calibration(labels, [probabilities], [second], groups=None, bootstrap=BOOTSTRAP)
    assert estimate.value < 0.01


def test_of_several_models_the_mean_counts() -> None:
    labels, probabilities, preds = model(400, 3, sureness=3.0)
    one, three = (
        measure_calibration(labels, [probabilities] * count, [preds] * count, groups=None, bootstrap=BOOTSTRAP)
        for count in (1, 3)
    )
    assert (three.value, three.low, three.high) == pytest.approx((one.value, one.low, one.high))


def test_one_of_several_perfect_models_that_seems_imperfect_does_not_make_them_all_so() -> None:
    begins = 0
    for seed in range(40):
        models = [model(92, 100 * seed + number) for number in range(4)]
        labels = models[0][0]  # each model's own labels would differ: its probabilities are turned to these
        turned = [np.where((own == labels)[:, None], values, values[:, ::-1]) for own, values, _ in models]
        preds = [values.argmax(1) for values in turned]
        begins += measure_calibration(labels, turned, preds, groups=None, bootstrap=BOOTSTRAP).low == 0
    assert begins >= 37
