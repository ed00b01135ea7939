"""The decision rule of one model: fitted on val, and applied to val and test."""

import dataclasses

from stages.evaluate.threshold import fit_threshold
from stages.metrics.calibration import fit_temperature, scale
from stages.metrics.rule import DecisionRule
from stages.predictions import Predictions


def fit_rule(val: Predictions, *, metric: str) -> DecisionRule:
    """Return the temperature, and for two classes the threshold that is best by `metric`.

    Args:
        val: The model's predictions for val.
        metric: accuracy, macro_f1 or mcc.
    """
    temperature = fit_temperature(val.labels, val.probabilities)
    threshold = fit_threshold(val.labels, scale(val.probabilities, temperature), metric=metric)
    return DecisionRule(temperature, threshold)


def decide(split: Predictions, rule: DecisionRule) -> Predictions:
    """Return the predictions with the label of each row by the rule."""
    return dataclasses.replace(split, decided=rule.decide(rule.calibrate(split.probabilities)))
