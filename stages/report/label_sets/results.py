"""The results of all seeds where a row has any number of labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.files import read_json
from stages.metrics.label_set_intervals import SetModel
from stages.metrics.names import SPLITS
from stages.metrics.rule import Trial
from stages.metrics.set_rule import SetRule
from stages.metrics.summary import MetricValue
from stages.paths import Paths
from stages.report.seeds import AllSeeds, TrainedSeed, read_shared
from stages.schema import Evaluate
from stages.targets.target import read_target


@dataclass(frozen=True)
class LabelScore:
    """One label on a split.

    Attributes:
        precision: Of the rows for which it is predicted.
        recall: Of the rows that have it.
        f1: Of both.
        average_precision: Of its probabilities.
        support: Rows that have it.
        confusion: Rows that do not have it, then those that have it: where it is not predicted, and where it is.
    """

    precision: MetricValue
    recall: MetricValue
    f1: MetricValue
    average_precision: MetricValue
    support: int
    confusion: list[list[int]]


@dataclass(frozen=True, kw_only=True)
class SeedResult(TrainedSeed):
    """The model of one seed.

    Args:
        per_label: By split (val, test) and label; empty for a split without rows.
        rule: The decision rule, fitted on val.
        trials: By label, of the threshold that was or was not taken; None where none was tried.
    """

    per_label: dict[str, dict[str, LabelScore]]
    rule: SetRule
    trials: dict[str, Trial | None]

    def calibrated(self, split: str) -> NDArray[np.float32]:
        """Return the calibrated probability of each label in each row of a split; shape (rows, num_labels)."""
        return self.rule.calibrate(self.predictions[split].probabilities)

    def answers(self, split: str) -> SetModel:
        """Return what the metrics of a split are computed from."""
        predictions = self.predictions[split]
        return SetModel(predictions.probabilities, self.calibrated(split), predictions.preds)


Results = AllSeeds[SeedResult]


def read_results(paths: Paths, seeds: Sequence[int], evaluate: Evaluate) -> Results:
    """Read what finetune and evaluate wrote for each seed; raises as `AllSeeds.read`."""
    return Results.read(paths, seeds, evaluate, _read_seed)


def _read_seed(paths: Paths, seed: int) -> SeedResult:
    written: dict[str, Any] = read_json(paths.metrics(seed))
    fitted = written["calibration"]
    return SeedResult(
        **read_shared(paths, seed),
        per_label={
            split: {label: _label_score(entry) for label, entry in written[split].get("per_label", {}).items()}
            for split in SPLITS
        },
        rule=SetRule(
            fitted["temperature"], [fitted["thresholds"][label] for label in read_target(paths.labels).labels]
        ),
        trials={label: Trial(**trial) if trial else None for label, trial in fitted["trials"].items()},
    )


def _label_score(entry: Mapping[str, Any]) -> LabelScore:
    values = {name: MetricValue(**entry[name]) for name in ("precision", "recall", "f1", "average_precision")}
    return LabelScore(**values, support=entry["support"], confusion=entry["confusion"])
