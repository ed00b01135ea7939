"""The contents of metrics.json: every number of the report, computed once and rounded."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import classification_report

from stages.metrics.bootstrap import Bootstrap
from stages.metrics.summary import MetricSummary, MetricValue
from stages.report.baselines import BaselineScore
from stages.report.results import Results
from stages.report.slices import SliceScore
from stages.report.summary import round_metrics, summarise_seeds
from stages.report.suspects import Suspect

PLACES = 3


@dataclass(frozen=True)
class Champion:
    """The model of the seed that is best on val."""

    seed: int
    temperature: float
    threshold: float | None
    test: dict[str, MetricValue]
    val: dict[str, MetricValue]


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 of a class, or their average over the classes."""

    precision: float
    recall: float
    f1: float
    support: int  # rows with this label


@dataclass(frozen=True)
class Metrics:
    """metrics.json: each field is a key, in this order.

    Args:
        champion: The model that the report is about.
        val: Every metric over all seeds.
        test: Every metric over all seeds.
        seeds_share_of_variance: By metric on test (0 to 1); empty with one seed.
        baselines: By baseline and metric.
        per_class: By label.
        averages: macro and weighted, over the labels that have rows.
        slices: By column and value.
        mistakes: Rows of the report's split, and how many are predicted wrong.
        suspects: Rows of val and test, and how many have a suspicious label.
    """

    champion: Champion
    val: dict[str, MetricSummary]
    test: dict[str, MetricSummary]
    seeds_share_of_variance: dict[str, float]
    baselines: dict[str, dict[str, BaselineScore]]
    per_class: dict[str, ClassScore]
    averages: dict[str, ClassScore]
    slices: dict[str, dict[str, SliceScore]]
    mistakes: dict[str, int]
    suspects: dict[str, int]


def compute_metrics(
    results: Results,
    bootstrap: Bootstrap,
    *,
    baselines: dict[str, dict[str, BaselineScore]],
    slices: dict[str, dict[str, SliceScore]],
    suspects: Sequence[Suspect],
) -> Metrics:
    """Return the contents of metrics.json.

    Args:
        results: Of all seeds.
        bootstrap: Of the intervals.
        baselines: From `score_baselines`.
        slices: From `score_slices`.
        suspects: Rows whose label is probably wrong.
    """
    champion, predictions = results.champion, results.predictions
    val, _ = summarise_seeds(results, "val", bootstrap)
    test, shares = summarise_seeds(results, "test", bootstrap)
    per_class, averages = _class_scores(results)
    return Metrics(
        champion=Champion(
            seed=champion.seed,
            temperature=champion.temperature,
            threshold=champion.threshold,
            test=round_metrics(champion.metrics["test"]),
            val=round_metrics(champion.metrics["val"]),
        ),
        val=val,
        test=test,
        seeds_share_of_variance=shares,
        baselines=baselines,
        per_class=per_class,
        averages=averages,
        slices=slices,
        mistakes={"rows": len(predictions), "wrong": int((predictions.preds != predictions.labels).sum())},
        suspects={"rows": sum(map(len, champion.predictions.values())), "found": len(suspects)},
    )


def _class_scores(results: Results) -> tuple[dict[str, ClassScore], dict[str, ClassScore]]:
    """Return the classification report of scikit-learn by label, and its macro and weighted averages."""
    labels = results.predictions.labels
    report = classification_report(
        labels, results.predictions.preds, labels=np.unique(labels), output_dict=True, zero_division=0
    )
    scores = {
        name: ClassScore(
            round(float(row["precision"]), PLACES),
            round(float(row["recall"]), PLACES),
            round(float(row["f1-score"]), PLACES),
            int(row["support"]),
        )
        for name, row in report.items()
        if name != "accuracy"  # a single number
    }
    no_rows = ClassScore(0.0, 0.0, 0.0, 0)
    per_class = {label: scores.get(str(index), no_rows) for index, label in enumerate(results.labels)}
    return per_class, {name: scores[f"{name} avg"] for name in ("macro", "weighted")}
