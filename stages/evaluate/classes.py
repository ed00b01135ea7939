"""The evaluation of classes: a decision rule fitted on val, and the metrics of its labels and probabilities."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.evaluate.metrics import calibration_rows, measure_splits
from stages.evaluate.plots import write_calibration, write_confusion
from stages.evaluate.rule import decide, describe_trial, fit_rule
from stages.metrics.bootstrap import Bootstrap
from stages.metrics.estimates import are_ordered
from stages.predictions import Predictions
from stages.schema import Evaluate
from stages.targets.target import Target

log = logging.getLogger(__name__)


def evaluate(
    raw: Mapping[str, Predictions], target: Target, options: Evaluate, *, folder: Path
) -> tuple[Mapping[str, Predictions], dict[str, Any]]:
    """Return the predictions decided by the rule, and metrics.json; see `measure_splits`."""
    bootstrap = Bootstrap(options.resamples, options.confidence, options.seed)
    ordered = are_ordered(target.labels, options.ordered)
    rule, trial = fit_rule(raw["val"], metric=options.metric, seed=options.seed)
    if trial:
        log.info("%s", describe_trial(trial, metric=options.metric))
    splits = {name: decide(split, rule) for name, split in raw.items()}
    metrics = measure_splits(splits, target.labels, rule, trial, ordered=ordered, bootstrap=bootstrap)
    write_confusion(folder / "confusion.csv", splits["test"], target.labels)
    write_calibration(folder / "calibration.csv", calibration_rows(splits["test"], rule))
    return splits, metrics
