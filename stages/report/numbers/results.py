"""The results of all seeds where the label is a number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.files import read_json
from stages.metrics.summary import MetricValue
from stages.paths import Paths
from stages.predictions import Predictions, read_predictions
from stages.report.results import AllSeeds
from stages.report.training import kept_weights
from stages.schema import Evaluate

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SeedResult:
    """The fine-tuned model of one seed.

    Args:
        seed: Of the fine-tuning.
        metrics: By split (val, test) and name; empty for a split without rows.
        half_width: How far from a prediction the number is at most, with the confidence of the intervals; None: val has
            too few rows to say so.
        coverage: Share of test within that, as value, low and high; None without test rows or half width.
        predictions: By split (val, test).
        curve: A row per epoch, a column per quantity.
        kept: Which weights were kept: `epoch 3`.
    """

    seed: int
    metrics: dict[str, dict[str, MetricValue]]
    half_width: float | None
    coverage: dict[str, float] | None
    predictions: dict[str, Predictions]
    curve: pd.DataFrame
    kept: str

    def residuals(self, split: str) -> Floats:
        """Return the number minus the prediction of each row of a split; shape (rows,)."""
        predictions = self.predictions[split]
        return np.asarray(predictions.labels - predictions.preds, dtype=np.float64)


Results = AllSeeds[SeedResult]


def read_results(paths: Paths, seeds: Sequence[int], evaluate: Evaluate) -> Results:
    """Read what finetune and evaluate wrote for each seed; raises as `AllSeeds.read`."""
    return Results.read(paths, seeds, evaluate, _read_seed)


def _read_seed(paths: Paths, seed: int) -> SeedResult:
    written: dict[str, Any] = read_json(paths.metrics(seed))
    fitted = written["calibration"]
    return SeedResult(
        seed=seed,
        metrics={
            split: {name: MetricValue(**entry) for name, entry in written[split].items()} for split in ("val", "test")
        },
        half_width=fitted["half_width"],
        coverage=fitted["coverage"],
        predictions=read_predictions(paths.predictions(seed)),
        curve=pd.read_csv(paths.curve(seed)),
        kept=kept_weights(read_json(paths.finetune_stats(seed))),
    )
