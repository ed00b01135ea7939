"""metrics.json where a row has any number of labels."""

from collections.abc import Sequence
from dataclasses import dataclass

from stages.metrics.bootstrap import Bootstrap, Estimate
from stages.metrics.label_set_intervals import measure_sets
from stages.metrics.rule import Trial
from stages.metrics.summary import MetricSummary, MetricValue
from stages.report.baselines import BaselineScore
from stages.report.folds import FoldScore
from stages.report.label_sets.answers import Suspect
from stages.report.label_sets.results import LabelScore, Results
from stages.report.label_sets.slices import SliceScore
from stages.report.results import only_answer
from stages.report.summary import summarise_seeds
from stages.row_labels import describe_labels


@dataclass(frozen=True)
class Champion:
    """The model of the seed that is best on val.

    Attributes:
        seed: Of its fine-tuning.
        temperature: That divides its logits.
        thresholds: By label, the least calibrated probability with which it is predicted; None: 0.5.
        trials: By label, what a tuned threshold gained; None where none was tried.
        test: Its metrics.
        val: Its metrics.
    """

    seed: int
    temperature: float
    thresholds: dict[str, float | None]
    trials: dict[str, Trial | None]
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
        collapsed: By seed, the set that its model predicts for every row of val and test.
        stuck: By seed, a sentence where the loss did not get below that of a constant answer.
        val: Every metric over all seeds.
        test: Every metric over all seeds.
        seeds_share_of_variance: By metric on test (0 to 1); empty with one seed.
        baselines: By baseline and metric.
        per_label: The champion's, on the report's split.
        slices: By column and value.
        mistakes: Rows of the report's split, those whose set is predicted wrong, and wrong answers about a label.
        suspects: Rows of val and test, or with folds all rows, and how many answers about a label are in doubt.
        crossfit: The models of the folds on all rows; None, and no key, without folds.
    """

    target: str
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
    per_label: dict[str, LabelScore]
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
    """Return the contents of metrics.json; arguments as the attributes of `Metrics`."""
    champion, predictions = results.champion, results.predictions
    val, _ = summarise_seeds(results, "val", bootstrap, measure_seeds)
    test, shares = summarise_seeds(results, "test", bootstrap, measure_seeds)
    wrong = predictions.preds != predictions.labels
    return Metrics(
        target="label_set",
        metric=results.metric,
        seeds=[result.seed for result in results.seeds],
        champion=Champion(
            seed=champion.seed,
            temperature=champion.rule.temperature,
            thresholds=dict(zip(results.labels, champion.rule.thresholds, strict=True)),
            trials=champion.trials,
            test=champion.metrics["test"],
            val=champion.metrics["val"],
        ),
        notes=list(notes),
        collapsed={
            str(result.seed): describe_labels(answer, results.labels)
            for result in results.seeds
            if (answer := only_answer(result)) is not None
        },
        stuck={str(result.seed): result.stuck for result in results.seeds if result.stuck},
        val=val,
        test=test,
        seeds_share_of_variance=shares,
        baselines=baselines,
        per_label=champion.per_label[results.split],
        slices=slices,
        mistakes={"rows": len(predictions), "wrong": int(wrong.any(axis=1).sum()), "answers": int(wrong.sum())},
        suspects={
            "rows": crossfit.rows if crossfit else sum(map(len, champion.predictions.values())),
            "found": len(suspects),
        },
        crossfit=crossfit,
    )


def measure_seeds(results: Results, split: str, bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Return every metric of a split, the mean over the seeds."""
    predictions = results.champion.predictions[split]
    models = [result.answers(split) for result in results.seeds]
    return measure_sets(predictions.labels, models, groups=predictions.groups, bootstrap=bootstrap)
