"""The rule of label sets: each label has a threshold of its own, and only where that helps on new rows."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from stages.evaluate import threshold
from stages.evaluate.set_rule import fit_set_rule
from stages.evaluate.threshold import tune_threshold
from stages.metrics.set_rule import SetRule, fit_set_temperature


def draw(rows: int, *, seed: int, shifts: tuple[float, ...] = (0.0, -3.0)) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities of a model that says the second label far too seldom."""
    chance = np.random.default_rng(seed)
    log_odds = 2 * chance.normal(size=(rows, len(shifts))) - 0.5
    labels = chance.random(log_odds.shape) < 1 / (1 + np.exp(-log_odds))
    return labels, (1 / (1 + np.exp(-(log_odds + shifts)))).astype(np.float32)


def test_a_threshold_is_taken_only_for_the_label_that_needs_one() -> None:
    labels, probabilities = draw(400, seed=0)
    rule, trials = fit_set_rule(labels, probabilities, groups=None, seed=0)
    assert rule.thresholds[0] is None
    assert rule.thresholds[1] is not None
    assert rule.thresholds[1] < 0.3
    assert [trial is not None and trial.taken for trial in trials] == [False, True]
    new_labels, new_probabilities = draw(4_000, seed=1)
    preds = rule.decide(rule.calibrate(new_probabilities))
    plain = SetRule(1.0, [None, None]).decide(new_probabilities)
    assert f1_score(new_labels[:, 1], preds[:, 1]) > f1_score(new_labels[:, 1], plain[:, 1]) + 0.1


def test_thresholds_of_a_calibrated_model_are_seldom_taken() -> None:
    taken = 0
    for seed in range(40):
        labels, probabilities = draw(60, seed=seed, shifts=(0.0, 0.0))
        rule, _ = fit_set_rule(labels, probabilities, groups=None, seed=seed)
        taken += sum(value is not None for value in rule.thresholds)
    assert taken <= 12  # of 80, at 5% chance each: the best threshold for F1 is somewhat below 0.5


@pytest.mark.parametrize("positives", [0, 1])
def test_a_label_that_val_hardly_has_keeps_one_half(positives: int) -> None:
    labels = np.zeros((30, 2), dtype=bool)
    labels[:15, 0] = True
    labels[:positives, 1] = True
    rule, trials = fit_set_rule(labels, np.full((30, 2), 0.4, dtype=np.float32), groups=None, seed=0)
    assert rule.thresholds[1] is None
    assert trials[1] is None


def test_the_best_f1_of_a_label_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threshold, "MODEL_ROWS", 0)  # without smoothing
    labels, probabilities = draw(300, seed=3)
    own, positive = labels[:, 1].astype(np.int64), probabilities[:, 1].astype(np.float64)
    cut = tune_threshold(own, np.stack([1 - positive, positive], axis=1), metric="f1")
    best = max(f1_score(own, positive >= other) for other in np.unique(positive))
    assert f1_score(own, positive >= cut) == pytest.approx(best)


def test_the_temperature_divides_the_logits() -> None:
    probabilities = np.array([[0.9, 0.2]], dtype=np.float32)
    logits = np.log(probabilities / (1 - probabilities))
    expected = 1 / (1 + np.exp(-logits / 2.5))
    assert SetRule(2.5, [None, None]).calibrate(probabilities) == pytest.approx(expected, rel=1e-5)


def test_an_overconfident_model_gets_a_temperature_above_one() -> None:
    labels, probabilities = draw(400, seed=5, shifts=(0.0, 0.0))
    logits = np.log(probabilities / (1 - probabilities))
    sharp = (1 / (1 + np.exp(-3 * logits))).astype(np.float32)
    assert fit_set_temperature(labels, sharp) == pytest.approx(3, abs=0.5)
    assert fit_set_temperature(labels, probabilities) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("own", [True, False])
def test_a_threshold_is_tried_against_what_the_rule_answers_without_it(own: bool) -> None:
    """At one half the rule says yes, so a threshold that says yes there gains nothing."""
    probabilities = np.where(np.arange(60) % 2 == 0, 0.99, 0.01)[:, None].astype(np.float32)
    labels = probabilities > 0.5
    labels[1::2][:15], probabilities[1::2][:15] = own, 0.5
    rule, (trial,) = fit_set_rule(labels, probabilities, groups=None, seed=0)
    assert trial is not None
    kept, tuned = (
        SetRule(rule.temperature, [cut]).decide(rule.calibrate(probabilities)) for cut in (None, trial.threshold)
    )
    assert (trial.gain == 0) == (kept == tuned).all()
