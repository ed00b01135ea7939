"""metrics.json where a row has any number of labels."""

from collections.abc import Mapping
from dataclasses import dataclass

from stages.metrics.bootstrap import Bootstrap, Estimate
from stages.metrics.label_set_intervals import measure_sets
from stages.metrics.rule import Trial
from stages.metrics.summary import MetricValue
from stages.report.every_metrics import EveryMetrics, Findings, collapsed_seeds, compute_shared, stuck_seeds
from stages.report.label_sets.results import LabelScore, Results
from stages.report.label_sets.slices import SliceScore
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


@dataclass(frozen=True, kw_only=True)
class Metrics(EveryMetrics):
    """metrics.json of label sets.

    Args:
        champion: The model that the report is about, which ships.
        slices: By column and value.
        target: What the label is.
        stuck: By seed, a sentence where the loss did not get below that of a constant answer.
        per_label: The champion's, on the report's split.
        mistakes: Rows of the report's split, those whose set is predicted wrong, and wrong answers about a label.
    """

    champion: Champion
    slices: Mapping[str, Mapping[str, SliceScore]]
    target: str = "label_set"
    stuck: dict[str, str]
    per_label: dict[str, LabelScore]
    mistakes: dict[str, int]


def compute_metrics(results: Results, bootstrap: Bootstrap, findings: Findings) -> Metrics:
    """Return the contents of metrics.json; arguments as of classes."""
    champion, predictions = results.champion, results.predictions
    wrong = predictions.preds != predictions.labels
    return Metrics(
        **compute_shared(results, bootstrap, findings, measure_seeds),
        champion=Champion(
            seed=champion.seed,
            temperature=champion.rule.temperature,
            thresholds=dict(zip(results.labels, champion.rule.thresholds, strict=True)),
            trials=champion.trials,
            test=champion.metrics["test"],
            val=champion.metrics["val"],
        ),
        collapsed=collapsed_seeds(results, lambda answer: describe_labels(answer, results.labels)),
        stuck=stuck_seeds(results),
        per_label=champion.per_label[results.split],
        mistakes={"rows": len(predictions), "wrong": int(wrong.any(axis=1).sum()), "answers": int(wrong.sum())},
    )


def measure_seeds(results: Results, split: str, bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Return every metric of a split, the mean over the seeds."""
    predictions = results.champion.predictions[split]
    models = [result.answers(split) for result in results.seeds]
    return measure_sets(predictions.labels, models, groups=predictions.groups, bootstrap=bootstrap)
