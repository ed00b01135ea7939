"""metrics.json where the label is a number."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stages.metrics.bootstrap import Bootstrap, Estimate
from stages.metrics.number_intervals import measure_numbers
from stages.metrics.summary import MetricValue, exact
from stages.report.every_metrics import EveryMetrics, Findings, compute_shared
from stages.report.numbers.residuals import SliceScore
from stages.report.numbers.results import Results


@dataclass(frozen=True)
class Champion:
    """The model of the seed that is best on val.

    Attributes:
        seed: Of its fine-tuning.
        half_width: How far from a prediction the number is at most, with the confidence of the intervals; None: val has
            too few rows.
        coverage: Share of test within that, as value, low and high; None without test rows or half width.
        test: Its metrics.
        val: Its metrics.
    """

    seed: int
    half_width: float | None
    coverage: dict[str, float] | None
    test: dict[str, MetricValue]
    val: dict[str, MetricValue]


@dataclass(frozen=True, kw_only=True)
class Metrics(EveryMetrics):
    """metrics.json of a number.

    Args:
        champion: The model that the report is about, which ships.
        slices: By column and value.
        target: What the label is.
        rows: Of the report's split.
    """

    champion: Champion
    slices: Mapping[str, Mapping[str, SliceScore]]
    target: str = "number"
    rows: int


def compute_metrics(results: Results, bootstrap: Bootstrap, findings: Findings) -> Metrics:
    """Return the contents of metrics.json; arguments as of classes."""
    champion = results.champion
    return Metrics(
        **compute_shared(results, bootstrap, findings, measure_seeds),
        champion=Champion(
            seed=champion.seed,
            half_width=champion.half_width,
            coverage=champion.coverage,
            test=champion.metrics["test"],
            val=champion.metrics["val"],
        ),
        collapsed=_collapsed(results),
        rows=len(results.predictions),
    )


def measure_seeds(results: Results, split: str, bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Return every metric of a split, the mean over the seeds."""
    predictions = results.champion.predictions[split]
    models = [result.predictions[split].preds.astype(np.float64) for result in results.seeds]
    numbers = predictions.labels.astype(np.float64)
    return measure_numbers(numbers, models, groups=predictions.groups, confidence=bootstrap.confidence)


def _collapsed(results: Results) -> dict[str, str]:
    """The number of each seed whose model predicts nothing else: to four digits, equal for all rows."""
    collapsed = {}
    for result in results.seeds:
        preds, numbers = (
            np.concatenate(columns)
            for columns in (
                [split.preds for split in result.predictions.values()],
                [split.labels for split in result.predictions.values()],
            )
        )
        if np.ptp(preds) < 1e-4 * np.ptp(numbers):
            collapsed[str(result.seed)] = f"{exact(preds.mean()):.4g}"
    return collapsed
