"""metrics.json where the label is a number."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.metrics.bootstrap import Bootstrap, Estimate
from stages.metrics.number_intervals import measure_numbers
from stages.metrics.summary import MetricSummary, MetricValue, exact
from stages.report.baselines import BaselineScore
from stages.report.folds import FoldScore
from stages.report.numbers.residuals import Residual, SliceScore
from stages.report.numbers.results import Results
from stages.report.summary import summarise_seeds


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


@dataclass(frozen=True)
class Metrics:
    """metrics.json: each field is a key, in this order.

    Args:
        target: What the label is.
        metric: That leads, and chose the champion on val (`evaluate.metric`).
        seeds: That the means are of.
        champion: The model that the report is about, which ships.
        notes: What is unusual about the splits, a sentence each.
        collapsed: By seed, the number that its model predicts for every row of val and test.
        val: Every metric over all seeds.
        test: Every metric over all seeds.
        seeds_share_of_variance: By metric on test (0 to 1); empty with one seed.
        baselines: By baseline and metric.
        slices: By column and value.
        rows: Of the report's split.
        suspects: Rows of val and test, or with folds all rows, and how many have a number far from its prediction.
        crossfit: The models of the folds on all rows; None, and no key, without folds.
    """

    target: str
    metric: str
    seeds: list[int]
    champion: Champion
    notes: list[str]
    collapsed: dict[str, str]
    val: dict[str, MetricSummary]
    test: dict[str, MetricSummary]
    seeds_share_of_variance: dict[str, float]
    baselines: dict[str, dict[str, BaselineScore]]
    slices: dict[str, dict[str, SliceScore]]
    rows: int
    suspects: dict[str, int]
    crossfit: FoldScore | None = None


def compute_metrics(
    results: Results,
    bootstrap: Bootstrap,
    *,
    baselines: dict[str, dict[str, BaselineScore]],
    slices: dict[str, dict[str, SliceScore]],
    suspects: Sequence[Residual],
    notes: Sequence[str],
    crossfit: FoldScore | None = None,
) -> Metrics:
    """Return the contents of metrics.json; arguments as the attributes of `Metrics`."""
    champion = results.champion
    val, _ = summarise_seeds(results, "val", bootstrap, measure_seeds)
    test, shares = summarise_seeds(results, "test", bootstrap, measure_seeds)
    return Metrics(
        target="number",
        metric=results.metric,
        seeds=[result.seed for result in results.seeds],
        champion=Champion(
            seed=champion.seed,
            half_width=champion.half_width,
            coverage=champion.coverage,
            test=champion.metrics["test"],
            val=champion.metrics["val"],
        ),
        notes=list(notes),
        collapsed=_collapsed(results),
        val=val,
        test=test,
        seeds_share_of_variance=shares,
        baselines=baselines,
        slices=slices,
        rows=len(results.predictions),
        suspects={
            "rows": crossfit.rows if crossfit else sum(map(len, champion.predictions.values())),
            "found": len(suspects),
        },
        crossfit=crossfit,
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
