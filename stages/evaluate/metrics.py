"""metrics.json of one seed: every metric with its interval, the classes, and what was fitted on val."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from stages.metrics.bootstrap import Bootstrap, Estimate
from stages.metrics.calibration import reliability
from stages.metrics.classification import per_class
from stages.metrics.estimates import measure
from stages.metrics.rule import DecisionRule, Trial
from stages.metrics.summary import MetricValue, exact
from stages.predictions import Predictions


def measure_splits(
    splits: Mapping[str, Predictions],
    labels: list[str],
    rule: DecisionRule,
    trial: Trial | None,
    *,
    ordered: bool,
    bootstrap: Bootstrap,
) -> dict[str, Any]:
    """Return the content of metrics.json: the metrics of val and test, and the calibration.

    Args:
        splits: Predictions for val and test, decided by the rule.
        labels: Names of the classes.
        rule: The decision rule.
        trial: Of the threshold.
        ordered: Whether the classes have an order.
        bootstrap: Of the intervals.

    Returns:
        `{"val": {metric: {"value", "low", "high"}, "per_class": {label: {...}}}, "test": ..., "calibration":
        {"temperature", "threshold", "trial": {"threshold", "gain", "chance"}}}`. A split without rows is empty. The
        threshold is null where the most probable label is predicted, the trial where no threshold was tried.
    """
    metrics: dict[str, Any] = {
        name: _measure_split(split, labels, rule, ordered=ordered, bootstrap=bootstrap)
        for name, split in splits.items()
    }
    tried = trial and asdict(replace(trial, gain=exact(trial.gain)))
    return metrics | {"calibration": {"temperature": rule.temperature, "threshold": rule.threshold, "trial": tried}}


def calibration_rows(predictions: Predictions, rule: DecisionRule) -> list[tuple[str, float, float, int]]:
    """Return the calibration plot: before or after scaling, and each bin's mean confidence, accuracy and rows.

    The confidence is the probability of the label that the rule predicts, as `predict` shows it.
    """
    if not len(predictions.labels):
        return []
    scaled = rule.calibrate(predictions.probabilities)
    return [
        (name, exact(group.confidence), exact(group.accuracy), group.rows)
        for name, probabilities in (("as predicted", predictions.probabilities), ("after scaling", scaled))
        for group in reliability(predictions.labels, probabilities, preds=predictions.preds)
    ]


def _measure_split(
    split: Predictions, labels: list[str], rule: DecisionRule, *, ordered: bool, bootstrap: Bootstrap
) -> dict[str, Any]:
    if not len(split.labels):
        return {}
    estimates = measure(
        split.labels,
        [split.probabilities],
        preds=[split.preds],
        temperatures=[rule.temperature],
        ordered=ordered,
        groups=split.groups,
        bootstrap=bootstrap,
    )
    return {name: _entry(estimate) for name, estimate in estimates.items()} | {"per_class": _per_class(split, labels)}


def _per_class(split: Predictions, labels: list[str]) -> dict[str, dict[str, float]]:
    columns = per_class(split.labels, split.preds, num_labels=len(labels))
    support = columns.pop("support")
    return {
        label: {name: exact(values[index]) for name, values in columns.items()} | {"support": int(support[index])}
        for index, label in enumerate(labels)
    }


def _entry(estimate: Estimate) -> dict[str, float]:
    return asdict(MetricValue(exact(estimate.value), exact(estimate.low), exact(estimate.high)))
