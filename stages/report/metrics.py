"""The contents of metrics.json: every number of the report, computed once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.metrics.bootstrap import Bootstrap, Estimate
from stages.metrics.classification import per_class
from stages.metrics.estimates import measure
from stages.metrics.rule import Trial
from stages.metrics.summary import MetricSummary, MetricValue, exact
from stages.report.baselines import BaselineScore
from stages.report.folds import FoldScore
from stages.report.results import Results, only_answer
from stages.report.slices import SliceScore
from stages.report.summary import summarise_seeds
from stages.report.suspects import Suspect


@dataclass(frozen=True)
class Champion:
    """The model of the seed that is best on val.

    Attributes:
        seed: Of its fine-tuning.
        temperature: Divides the logits; fitted on val.
        threshold: The least calibrated probability of the second label with which it is predicted; None: the most
            probable label is predicted.
        trial: Of the threshold that was or was not taken; None where none was tried.
        test: Its metrics.
        val: Its metrics.
    """

    seed: int
    temperature: float
    threshold: float | None
    trial: Trial | None
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
        metric: That leads, and chose the champion on val (`evaluate.metric`).
        seeds: That the means are of.
        champion: The model that the report is about, which ships.
        notes: What is unusual about the splits, a sentence each.
        collapsed: By seed, the label that its model predicts for every row of val and test, which have several; a seed
            whose model predicts several is not there.
        stuck: By seed, a sentence on a loss that did not get below that of a constant answer, with what to change.
        val: Every metric over all seeds.
        test: Every metric over all seeds.
        seeds_share_of_variance: By metric on test (0 to 1); empty with one seed.
        baselines: By baseline and metric.
        per_class: By label.
        averages: macro and weighted.
        slices: By column and value.
        mistakes: Rows of the report's split, and how many are predicted wrong.
        suspects: Rows of val and test, or with folds all rows, and how many have a suspicious label.
        crossfit: The models of the folds on all rows; None, and no key, without folds.
    """

    metric: str
    seeds: list[int]
    champion: Champion
    notes: list[str]
    collapsed: dict[str, str]
    stuck: dict[str, str]
    val: dict[str, MetricSummary]
    test: dict[str, MetricSummary]
    seeds_share_of_variance: dict[str, float]
    baselines: dict[str, dict[str, BaselineScore]]
    per_class: dict[str, ClassScore]
    averages: dict[str, ClassScore]
    slices: dict[str, dict[str, SliceScore]]
    mistakes: dict[str, int]
    suspects: dict[str, int]
    crossfit: FoldScore | None = None


def compute_metrics(
    results: Results,
    bootstrap: Bootstrap,
    *,
    baselines: dict[str, dict[str, BaselineScore]],
    slices: dict[str, dict[str, SliceScore]],
    suspects: Sequence[Suspect],
    notes: Sequence[str],
    crossfit: FoldScore | None = None,
) -> Metrics:
    """Return the contents of metrics.json.

    Args:
        results: Of all seeds.
        bootstrap: Of the intervals.
        baselines: From `score_baselines`.
        slices: From `score_slices`.
        suspects: Rows whose label is probably wrong.
        notes: What is unusual about the splits.
        crossfit: The models of the folds on all rows; None: there are no folds.
    """
    champion, predictions = results.champion, results.predictions
    val, _ = summarise_seeds(results, "val", bootstrap, measure_seeds)
    test, shares = summarise_seeds(results, "test", bootstrap, measure_seeds)
    per_class, averages = _class_scores(results)
    return Metrics(
        metric=results.metric,
        seeds=[result.seed for result in results.seeds],
        notes=list(notes),
        collapsed={
            str(result.seed): results.labels[answer]
            for result in results.seeds
            if (answer := only_answer(result)) is not None
        },
        stuck={str(result.seed): result.stuck for result in results.seeds if result.stuck},
        champion=Champion(
            seed=champion.seed,
            temperature=champion.rule.temperature,
            threshold=champion.rule.threshold,
            trial=champion.trial,
            test=champion.metrics["test"],
            val=champion.metrics["val"],
        ),
        val=val,
        test=test,
        seeds_share_of_variance=shares,
        baselines=baselines,
        per_class=per_class,
        averages=averages,
        slices=slices,
        mistakes={"rows": len(predictions), "wrong": int((predictions.preds != predictions.labels).sum())},
        suspects={
            "rows": crossfit.rows if crossfit else sum(map(len, champion.predictions.values())),
            "found": len(suspects),
        },
        crossfit=crossfit,
    )


def measure_seeds(results: Results, split: str, bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Return every metric of a split, the mean over the seeds."""
    predictions = [result.predictions[split] for result in results.seeds]
    return measure(
        predictions[0].labels,
        [seed.probabilities for seed in predictions],
        preds=[seed.preds for seed in predictions],
        temperatures=[result.rule.temperature for result in results.seeds],
        ordered=results.ordered,
        groups=predictions[0].groups,
        bootstrap=bootstrap,
    )


def _class_scores(results: Results) -> tuple[dict[str, ClassScore], dict[str, ClassScore]]:
    """Return the scores by label, and their macro and weighted averages.

    The averages are those of the metrics of the same name: a macro F1 leaves out a class that no row has and none is
    predicted to have, a macro recall (balanced accuracy) every class that no row has.
    """
    predictions = results.predictions
    columns = per_class(predictions.labels, predictions.preds, num_labels=len(results.labels))
    support = columns["support"]
    predicted = np.bincount(predictions.preds, minlength=len(results.labels))
    seen = (support > 0) | (predicted > 0)
    counted = {"precision": seen, "recall": support > 0, "f1": seen}  # in the macro average
    by_label = {
        label: ClassScore(**{name: exact(columns[name][index]) for name in counted}, support=int(support[index]))
        for index, label in enumerate(results.labels)
    }
    rows = len(predictions)
    macro = {name: exact(columns[name][mask].mean()) for name, mask in counted.items()}
    weighted = {name: exact(columns[name] @ support / rows) for name in counted}
    averages = {"macro": ClassScore(**macro, support=rows), "weighted": ClassScore(**weighted, support=rows)}
    return by_label, averages
