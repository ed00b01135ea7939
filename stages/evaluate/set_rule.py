"""The decision rule of label sets, fitted on val: a temperature for all labels, and a threshold for each."""

import numpy as np
from numpy.typing import NDArray

from stages.evaluate.threshold import try_threshold
from stages.metrics.rule import Trial
from stages.metrics.set_rule import SetRule, as_pairs, fit_set_temperature


def fit_set_rule(
    labels: NDArray[np.bool_], probabilities: NDArray[np.float32], *, groups: NDArray[np.int64] | None, seed: int
) -> tuple[SetRule, list[Trial | None]]:
    """Return the decision rule, and for each label the trial of the threshold that was or was not taken.

    A threshold is tuned for the F1 of its label, and taken where it gains more than chance over 0.5 on rows of val that
    it was not tuned on.

    Args:
        labels: Which labels each row of val has; shape (rows, num_labels).
        probabilities: The model's, for val; shape (rows, num_labels).
        groups: Equal for rows that belong together; shape (rows,). None: each row is its own.
        seed: Of the trials.
    """
    temperature = fit_set_temperature(labels, probabilities)
    rule = SetRule(temperature, [None] * labels.shape[1])
    calibrated = rule.calibrate(probabilities)
    untuned = rule.decide(calibrated)
    trials = [
        try_threshold(
            own.astype(np.int64),
            as_pairs(column),
            untuned=before.astype(np.int64),
            groups=groups,
            metric="f1",
            seed=seed,
        )
        for own, column, before in zip(labels.T, calibrated.T, untuned.T, strict=True)
    ]
    return SetRule(temperature, [trial.threshold if trial and trial.taken else None for trial in trials]), trials
