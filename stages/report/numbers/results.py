"""The results of all seeds where the label is a number."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.files import read_json
from stages.paths import Paths
from stages.report.seeds import AllSeeds, TrainedSeed, read_shared
from stages.schema import Evaluate

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SeedResult(TrainedSeed):
    """The model of one seed.

    Args:
        half_width: How far from a prediction the number is at most, with the confidence of the intervals; None: val has
            too few rows to say so.
        coverage: Share of test within that, as value, low and high; None without test rows or half width.
    """

    half_width: float | None
    coverage: dict[str, float] | None

    def residuals(self, split: str) -> Floats:
        """Return the number minus the prediction of each row of a split; shape (rows,)."""
        predictions = self.predictions[split]
        return np.asarray(predictions.labels - predictions.preds, dtype=np.float64)


Results = AllSeeds[SeedResult]


def read_results(paths: Paths, seeds: Sequence[int], evaluate: Evaluate) -> Results:
    """Read what finetune and evaluate wrote for each seed; raises as `AllSeeds.read`."""
    return Results.read(paths, seeds, evaluate, _read_seed)


def _read_seed(paths: Paths, seed: int) -> SeedResult:
    fitted = read_json(paths.metrics(seed))["calibration"]
    return SeedResult(**read_shared(paths, seed), half_width=fitted["half_width"], coverage=fitted["coverage"])
