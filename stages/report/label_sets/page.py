"""report.html, report.md and the model card where a row has any number of labels."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from stages.metrics.caveats import sets_by_reason
from stages.metrics.failures import describe_failures, weighs_classes
from stages.metrics.names import headline_metrics
from stages.metrics.set_rule import THRESHOLD, as_pairs
from stages.params import Params
from stages.paths import Paths
from stages.report.charts.bars import BarChart
from stages.report.charts.figures import length_chart, loss_chart, metric_chart, reliability_chart
from stages.report.charts.interval import IntervalChart, interval_chart
from stages.report.charts.lines import LineChart
from stages.report.label_sets.answers import Mistake, Suspect, confident_mistakes
from stages.report.label_sets.metrics import Metrics
from stages.report.label_sets.results import Results
from stages.report.render.every_context import MOST_CLASSES, EveryContext, read_shared
from stages.report.render.formats import format_shown
from stages.report.render.front_matter import HubMetric, front_matter
from stages.report.render.glossary import NAMES

HUB_METRICS: Mapping[str, HubMetric] = {
    "micro_f1": ("f1", {"average": "micro"}),
    "macro_f1": ("f1", {"average": "macro"}),
    "sample_f1": ("f1", {"average": "samples"}),
    "subset_accuracy": ("accuracy", None),
}
FIRST = ("micro_f1", "macro_f1", "sample_f1", "subset_accuracy", "hamming_loss", "average_precision")


@dataclass(frozen=True)
class Charts:
    """All charts of report.html."""

    headline: IntervalChart
    losses: LineChart
    metric: LineChart
    calibration: LineChart
    lengths: BarChart


@dataclass(frozen=True, kw_only=True)
class Context(EveryContext):
    """The variables of the templates of label sets.

    Args:
        results: Of all seeds.
        metrics: The contents of metrics.json.
        curve_metric: Of the chart over the epochs.
        classes: The labels that are listed: all, or of many those with the lowest F1.
        baseline_names: As they are shown.
        mistakes: The most confident ones.
        charts: Of report.html.
        default_threshold: Of a label without a tuned one.
    """

    results: Results
    metrics: Metrics
    curve_metric: str
    classes: list[str]
    baseline_names: dict[str, str]
    mistakes: list[Mistake]
    charts: Charts
    default_threshold: float


def build_context(
    params: Params, paths: Paths, results: Results, metrics: Metrics, suspects: Sequence[Suspect]
) -> Context:
    """Gather the values that the templates show.

    Args:
        params: Of the project.
        paths: Of the project.
        results: Of all seeds.
        metrics: The contents of metrics.json.
        suspects: From `find_suspects`.
    """
    mistakes = confident_mistakes(results, limit=params.report.mistakes)
    shown = list(suspects)[: params.report.suspects]
    metric = results.metric
    names = list(dict.fromkeys([metric, *FIRST, *results.champion.metrics[results.split]]))
    curve_metric = metric if f"val_{metric}" in results.champion.curve else "micro_f1"
    shared = read_shared(params, paths, results, metrics, listed=[*mistakes, *shown], rough=partial(_rough_of, results))
    return Context(
        **shared,
        failures=describe_failures(
            asdict(metrics), NAMES, weighted=weighs_classes(params.model_dump()), show=format_shown
        ),
        metric_names=names,
        curve_metric=curve_metric,
        classes=_weakest(metrics),
        baseline_names={key: NAMES[key] for key in metrics.baselines},
        mistakes=mistakes,
        suspects=shown,
        charts=_charts(paths, results, metrics, metric=metric, curve_metric=curve_metric),
        front_matter=front_matter(
            params,
            results,
            shared["provenance"],
            task="Several labels for a text",
            metrics=headline_metrics(metric, results.champion.metrics[results.split]),
            hub_metrics=HUB_METRICS,
            tags=["multi-label-classification"],
        ),
        default_threshold=THRESHOLD,
    )


def _rough_of(results: Results, split: str) -> dict[str, list[str]]:
    predictions = results.champion.predictions[split]
    measured = results.champion.metrics[split]
    return sets_by_reason(measured, predictions.labels, predictions.preds, predictions.groups)


def _weakest(metrics: Metrics) -> list[str]:
    """All labels in their order, or those of many with the lowest F1, weakest first."""
    scores = metrics.per_label
    if len(scores) <= MOST_CLASSES:
        return list(scores)
    return sorted(scores, key=lambda label: (not scores[label].support, scores[label].f1.value))[:MOST_CLASSES]


def _charts(paths: Paths, results: Results, metrics: Metrics, *, metric: str, curve_metric: str) -> Charts:
    baselines = {NAMES[key]: scores[metric].value for key, scores in metrics.baselines.items()}
    return Charts(
        headline=interval_chart(results.champion.metrics[results.split][metric], baselines),
        losses=loss_chart(results),
        metric=metric_chart(results, curve_metric),
        calibration=_calibration(results),
        lengths=length_chart(paths),
    )


def _calibration(results: Results) -> LineChart:
    """How often an answer is right by its probability, over all rows and labels."""
    predictions = results.predictions
    labels, preds = (flags.ravel().astype(np.int64) for flags in (predictions.labels, predictions.preds))
    scaled = results.champion.calibrated(results.split)
    answers = (as_pairs(probabilities.ravel()) for probabilities in (predictions.probabilities, scaled))
    return reliability_chart(labels, *answers, preds=preds, of="the answer")
