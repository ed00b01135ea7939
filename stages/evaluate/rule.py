"""The decision rule of one model: fitted on val, and applied to val and test."""

import dataclasses

from stages.evaluate.threshold import Trial, try_threshold
from stages.metrics.calibration import fit_temperature, scale
from stages.metrics.rule import DecisionRule
from stages.predictions import Predictions


def fit_rule(val: Predictions, *, metric: str, seed: int) -> tuple[DecisionRule, Trial | None]:
    """Return the decision rule, and the trial of the threshold that was or was not taken.

    Args:
        val: The model's predictions for val.
        metric: That the threshold is tuned for: accuracy, macro_f1 or mcc.
        seed: Of the trial.
    """
    temperature = fit_temperature(val.labels, val.probabilities)
    trial = try_threshold(val.labels, scale(val.probabilities, temperature), metric=metric, seed=seed)
    return DecisionRule(temperature, trial.threshold if trial and trial.taken else None), trial


def describe_trial(trial: Trial, *, metric: str) -> str:
    """Return what was tried, which rule was taken, and why, as a line of the log."""
    tried = (
        f"a threshold of {trial.threshold:.3f} changes {metric} by {trial.gain:+.4f} on rows of val it was not tuned on"
    )
    if trial.taken:
        return f"{tried} (no gain in {trial.chance:.1%} of resamples): the threshold decides"
    return f"{tried} (no gain in {trial.chance:.1%} of resamples, so it may be chance): the most probable label is predicted"


def decide(split: Predictions, rule: DecisionRule) -> Predictions:
    """Return the predictions with the label of each row by the rule."""
    return dataclasses.replace(split, decided=rule.decide(rule.calibrate(split.probabilities)))
