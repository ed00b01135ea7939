"""metrics.json of classes: every number of the report, computed once."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stages.metrics.bootstrap import Bootstrap, Estimate
from stages.metrics.classification import per_class
from stages.metrics.estimates import measure
from stages.metrics.rule import Trial
from stages.metrics.summary import MetricValue, exact
from stages.report.every_metrics import EveryMetrics, Findings, collapsed_seeds, compute_shared, stuck_seeds
from stages.report.results import Results
from stages.report.slices import SliceScore


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


@dataclass(frozen=True, kw_only=True)
class Metrics(EveryMetrics):
    """metrics.json of classes.

    Args:
        champion: The model that the report is about, which ships.
        slices: By column and value.
        stuck: By seed, a sentence on a loss that did not get below that of a constant answer, with what to change.
        per_class: By label.
        averages: macro and weighted.
        mistakes: Rows of the report's split, and how many are predicted wrong.
        one_class: The label of all rows of a split, by split; a split with several labels is not there.
    """

    champion: Champion
    slices: Mapping[str, Mapping[str, SliceScore]]
    stuck: dict[str, str]
    per_class: dict[str, ClassScore]
    averages: dict[str, ClassScore]
    mistakes: dict[str, int]
    one_class: dict[str, str]


def compute_metrics(results: Results, bootstrap: Bootstrap, findings: Findings) -> Metrics:
    """Return the contents of metrics.json.

    Args:
        results: Of all seeds.
        bootstrap: Of the intervals.
        findings: What else the report says.
    """
    champion, predictions = results.champion, results.predictions
    by_class, averages = _class_scores(results)
    return Metrics(
        **compute_shared(results, bootstrap, findings, measure_seeds),
        champion=Champion(
            seed=champion.seed,
            temperature=champion.rule.temperature,
            threshold=champion.rule.threshold,
            trial=champion.trial,
            test=champion.metrics["test"],
            val=champion.metrics["val"],
        ),
        collapsed=collapsed_seeds(results, lambda answer: results.labels[answer]),
        stuck=stuck_seeds(results),
        per_class=by_class,
        averages=averages,
        mistakes={"rows": len(predictions), "wrong": int((predictions.preds != predictions.labels).sum())},
        one_class={
            name: results.labels[int(split.labels[0])]
            for name, split in champion.predictions.items()
            if len(np.unique(split.labels)) == 1
        },
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
