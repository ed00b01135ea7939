"""report.html, report.md and the model card where a row has any number of labels."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from huggingface_hub import EvalResult, ModelCardData

from stages.metrics.calibration import reliability
from stages.metrics.failures import describe_failures
from stages.metrics.names import headline_metrics
from stages.metrics.set_rule import THRESHOLD, as_pairs
from stages.metrics.summary import SHOWN
from stages.params import Params
from stages.paths import Paths
from stages.report.charts.bars import BarChart, histogram
from stages.report.charts.interval import IntervalChart, interval_chart
from stages.report.charts.lines import LineChart, epoch_chart, unit_chart
from stages.report.data_summary import DataSummary, read_data_summary
from stages.report.label_sets.answers import Mistake, Suspect, confident_mistakes
from stages.report.label_sets.metrics import Metrics
from stages.report.label_sets.results import Results
from stages.report.provenance import Provenance, read_provenance
from stages.report.render.context import MOST_CLASSES, describe_target, read_shown_texts
from stages.report.render.glossary import NAMES
from stages.report.results import Measured

HUB_METRICS = {  # ours -> the metric of https://huggingface.co/evaluate-metric that computes it, and its arguments
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


@dataclass(frozen=True)
class Context:
    """The variables of the templates; those of the same name are as for classes."""

    params: Params
    results: Results
    metrics: Metrics
    failures: list[str]
    target: str
    metric_names: list[str]
    curve_metric: str  # of the chart over the epochs
    classes: list[str]  # the labels that are listed: all, or of many those with the lowest F1
    baseline_names: dict[str, str]
    mistakes: list[Mistake]
    suspects: list[Suspect]
    texts: dict[int, str]
    charts: Charts
    data: DataSummary
    provenance: Provenance
    front_matter: str
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
    positions = sorted({row.position for row in mistakes} | {row.position for row in shown})
    provenance = read_provenance(paths, params, results.champion.seed)
    metric = results.metric
    names = list(dict.fromkeys([metric, *FIRST, *results.champion.metrics[results.split]]))
    curve_metric = metric if f"val_{metric}" in results.champion.curve else "micro_f1"
    return Context(
        params=params,
        results=results,
        metrics=metrics,
        failures=describe_failures(asdict(metrics), NAMES),
        target=describe_target(params),
        metric_names=names,
        curve_metric=curve_metric,
        classes=_weakest(metrics),
        baseline_names={key: NAMES[key] for key in metrics.baselines},
        mistakes=mistakes,
        suspects=shown,
        texts=read_shown_texts(paths, positions) if params.report.show_text and positions else {},
        charts=_charts(paths, results, metrics, metric=metric, curve_metric=curve_metric),
        data=read_data_summary(paths, results.labels, most_classes=MOST_CLASSES),
        provenance=provenance,
        front_matter=_front_matter(params, results, provenance),
        default_threshold=THRESHOLD,
    )


def _weakest(metrics: Metrics) -> list[str]:
    """All labels in their order, or those of many with the lowest F1, weakest first."""
    scores = metrics.per_label
    if len(scores) <= MOST_CLASSES:
        return list(scores)
    return sorted(scores, key=lambda label: (not scores[label].support, scores[label].f1.value))[:MOST_CLASSES]


def _charts(paths: Paths, results: Results, metrics: Metrics, *, metric: str, curve_metric: str) -> Charts:
    champion, lengths = results.champion, pd.read_csv(paths.lengths)
    epochs: list[int] = max((result.curve["epoch"] for result in results.seeds), key=len).tolist()
    losses = {
        f"{split}, seed {result.seed}": result.curve[f"{split}_loss"].tolist()
        for split in ("train", "val")
        for result in results.seeds
    }
    scores = {f"seed {result.seed}": result.curve[f"val_{curve_metric}"].tolist() for result in results.seeds}
    baselines = {NAMES[key]: scores[metric].value for key, scores in metrics.baselines.items()}
    return Charts(
        headline=interval_chart(champion.metrics[results.split][metric], baselines),
        losses=epoch_chart(losses, epochs),
        metric=epoch_chart(scores, epochs),
        calibration=_calibration(results),
        lengths=histogram(
            dict(zip(lengths["tokens"].tolist(), lengths["rows"].tolist(), strict=True)), x_label="tokens"
        ),
    )


def _calibration(results: Results) -> LineChart:
    """How often an answer is right by its probability, over all rows and labels."""
    predictions = results.predictions
    labels, preds = (flags.ravel().astype(np.int64) for flags in (predictions.labels, predictions.preds))
    scaled = results.champion.calibrated(results.split)
    series = {}
    for name, probabilities in (("as predicted", predictions.probabilities), ("after scaling", scaled)):
        bins = reliability(labels, as_pairs(probabilities.ravel()), preds=preds)
        series[name] = ([part.confidence for part in bins], [part.accuracy for part in bins])
    series["perfect"] = ([0.0, 1.0], [0.0, 1.0])
    return unit_chart(series, x_label="probability of the answer")


def _front_matter(params: Params, results: Results, provenance: Provenance) -> str:
    measured = results.champion.metrics[results.split]
    entries = [
        _result(params, results.champion, results.split, name) for name in headline_metrics(results.metric, measured)
    ]
    data = ModelCardData(
        base_model=provenance.base_model,
        language=provenance.language or None,
        license=provenance.license,
        library_name="transformers",
        pipeline_tag="text-classification",
        tags=["text-classification", "multi-label-classification", "retune"],
        model_name=params.report.title,
        eval_results=entries,
    )
    return str(data.to_yaml())


def _result(params: Params, champion: Measured, split: str, name: str) -> EvalResult:
    metric, arguments = HUB_METRICS.get(name, (name, None))
    return EvalResult(
        task_type="text-classification",
        task_name="Several labels for a text",
        dataset_type="custom",
        dataset_name=params.report.title,
        dataset_split=split,
        metric_type=metric,
        metric_name=NAMES[name],
        metric_value=round(champion.metrics[split][name].value, SHOWN),
        metric_args=arguments,
    )
