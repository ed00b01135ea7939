"""The decision rule of one model: fitted on val, and applied to val and test."""

import dataclasses

from stages.evaluate.threshold import try_threshold
from stages.metrics.calibration import fit_temperature, scale
from stages.metrics.rule import DecisionRule, Trial
from stages.predictions import Predictions


def fit_rule(val: Predictions, *, metric: str, seed: int) -> tuple[DecisionRule, Trial | None]:
    """Return the decision rule, and the trial of the threshold that was or was not taken.

    Args:
        val: The model's predictions for val.
        metric: That the threshold is tuned for: accuracy, macro_f1 or mcc.
        seed: Of the trial.
    """
    temperature = fit_temperature(val.labels, val.probabilities)
    calibrated = scale(val.probabilities, temperature)
    trial = try_threshold(val.labels, calibrated, groups=val.groups, metric=metric, seed=seed)
    return DecisionRule(temperature, trial.threshold if trial and trial.taken else None), trial


def describe_trial(trial: Trial, *, metric: str) -> str:
    """Return which rule was taken, and why, as a line of the log."""
    gain = f"on rows of val that it was not tuned on it changes {metric} by {trial.gain:+.4f}"
    chance = f"no gain in {trial.chance:.0%} of resamples of these rows"
    if trial.taken:
        return f"predicts with a threshold of {trial.threshold:.4f}: {gain} ({chance})"
    tried = f"a threshold of {trial.threshold:.4f} was tried and not taken"
    return f"predicts the most probable label; {tried}: {gain} ({chance})"


def decide(split: Predictions, rule: DecisionRule) -> Predictions:
    """Return the predictions with the label of each row by the rule."""
    return dataclasses.replace(split, decided=rule.decide(rule.calibrate(split.probabilities)))
