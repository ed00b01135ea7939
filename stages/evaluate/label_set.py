"""The evaluation of label sets: a rule fitted on val, and the metrics of sets, of probabilities and of each label."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stages.evaluate.plots import write_calibration, write_pairs
from stages.evaluate.set_rule import fit_set_rule
from stages.metrics.bootstrap import Bootstrap, Estimate
from stages.metrics.calibration import reliability
from stages.metrics.label_set_intervals import SetModel, measure_labels, measure_sets
from stages.metrics.label_sets import label_confusions
from stages.metrics.rule import Trial
from stages.metrics.set_rule import SetRule, as_pairs
from stages.metrics.summary import MetricValue, exact
from stages.predictions import Predictions
from stages.schema import Evaluate
from stages.targets.target import Target

log = logging.getLogger(__name__)


def evaluate(
    raw: Mapping[str, Predictions], target: Target, options: Evaluate, *, folder: Path
) -> tuple[Mapping[str, Predictions], dict[str, Any]]:
    """Return the predictions decided by the rule, and metrics.json.

    confusion.csv has a line per row of test and label: whether the row has the label, and whether it is predicted.

    Returns:
        metrics.json: `{"val": {metric: {"value", "low", "high"}, "per_label": {label: {metric: {...}, "support",
        "confusion": [[no, wrong yes], [missed, yes]]}}}, "test": ..., "calibration": {"temperature", "thresholds":
        {label: threshold or null}, "trials": {label: {...} or null}}}`. A split without rows is empty.
    """
    val, bootstrap = raw["val"], Bootstrap(options.resamples, options.confidence, options.seed)
    rule, trials = fit_set_rule(val.labels, val.probabilities, groups=val.groups, seed=options.seed)
    taken = [label for label, threshold in zip(target.labels, rule.thresholds, strict=True) if threshold is not None]
    log.info(
        "labels whose tuned threshold replaces 0.5, because it gains on rows it was not tuned on: %s",
        ", ".join(taken) or "none",
    )
    splits = {
        name: dataclasses.replace(split, decided=rule.decide(rule.calibrate(split.probabilities)))
        for name, split in raw.items()
    }
    metrics: dict[str, Any] = {
        name: _measure(split, rule, target, bootstrap) if len(split) else {} for name, split in splits.items()
    }
    test = splits["test"]
    write_pairs(folder / "confusion.csv", _answers(test.labels, target), _answers(test.preds, target))
    write_calibration(folder / "calibration.csv", _calibration(test, rule))
    return splits, metrics | {"calibration": _rule(rule, trials, target)}


def _measure(split: Predictions, rule: SetRule, target: Target, bootstrap: Bootstrap) -> dict[str, Any]:
    model = SetModel(split.probabilities, rule.calibrate(split.probabilities), split.preds)
    of_sets = measure_sets(split.labels, [model], groups=split.groups, bootstrap=bootstrap)
    of_labels = measure_labels(split.labels, [model], groups=split.groups, bootstrap=bootstrap)
    confusions = label_confusions(split.labels, split.preds)
    per_label = {
        label: {name: _entry(estimate) for name, estimate in own.items()}
        | {"support": int(split.labels[:, number].sum()), "confusion": confusions[number].tolist()}
        for number, (label, own) in enumerate(zip(target.labels, of_labels, strict=True))
    }
    return {name: _entry(estimate) for name, estimate in of_sets.items()} | {"per_label": per_label}


def _entry(estimate: Estimate) -> dict[str, float]:
    return dataclasses.asdict(MetricValue(exact(estimate.value), exact(estimate.low), exact(estimate.high)))


def _rule(rule: SetRule, trials: Sequence[Trial | None], target: Target) -> dict[str, Any]:
    tried = [trial and dataclasses.asdict(dataclasses.replace(trial, gain=exact(trial.gain))) for trial in trials]
    return {
        "temperature": rule.temperature,
        "thresholds": dict(zip(target.labels, rule.thresholds, strict=True)),
        "trials": dict(zip(target.labels, tried, strict=True)),
    }


def _answers(flags: Any, target: Target) -> pa.Array:
    """For each row and label `app: yes` or `app: no`, all rows of the first label first."""
    names = np.array([[f"{label}: no", f"{label}: yes"] for label in target.labels])
    return pa.array([names[number, int(flag)] for number, column in enumerate(flags.T) for flag in column], pa.string())


def _calibration(test: Predictions, rule: SetRule) -> list[tuple[str, float, float, int]]:
    """Each bin's mean confidence, accuracy and rows, over all labels: in the answer that the rule gives."""
    if not len(test):
        return []
    labels, preds = test.labels.ravel().astype(np.int64), test.preds.ravel().astype(np.int64)
    both = (("as predicted", test.probabilities), ("after scaling", rule.calibrate(test.probabilities)))
    return [
        (name, exact(group.confidence), exact(group.accuracy), group.rows)
        for name, probabilities in both
        for group in reliability(labels, as_pairs(probabilities.ravel()), preds=preds)
    ]
