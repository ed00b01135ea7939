"""The results of all seeds of a model of classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.files import read_json
from stages.metrics.rule import DecisionRule, Trial
from stages.paths import Paths
from stages.report.seeds import AllSeeds, TrainedSeed, read_shared
from stages.schema import Evaluate

IMBALANCED = 0.6  # share of the most frequent label above which accuracy looks better than the model is


@dataclass(frozen=True, kw_only=True)
class SeedResult(TrainedSeed):
    """The model of one seed.

    Args:
        rule: The decision rule, fitted on val.
        trial: Of the threshold that was or was not taken; None where none was tried.
    """

    rule: DecisionRule
    trial: Trial | None


@dataclass(frozen=True)
class Results(AllSeeds[SeedResult]):
    """All seeds of a model of classes."""

    @property
    def imbalanced(self) -> bool:
        """Whether one label has so many of the rows that always predicting it gives a high accuracy."""
        return bool(np.bincount(self.predictions.labels).max() / len(self.predictions) > IMBALANCED)


def read_results(paths: Paths, seeds: Sequence[int], evaluate: Evaluate) -> Results:
    """Read what finetune and evaluate wrote for each seed; raises as `AllSeeds.read`."""
    return Results.read(paths, seeds, evaluate, _read_seed)


def _read_seed(paths: Paths, seed: int) -> SeedResult:
    fitted = read_json(paths.metrics(seed))["calibration"]
    return SeedResult(
        **read_shared(paths, seed),
        rule=DecisionRule(fitted["temperature"], fitted["threshold"]),
        trial=Trial(**fitted["trial"]) if fitted["trial"] else None,
    )
