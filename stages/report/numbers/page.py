"""report.html, report.md and the model card where the label is a number."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from stages.metrics.caveats import numbers_by_reason
from stages.metrics.failures import advice
from stages.params import Params
from stages.paths import Paths
from stages.report.charts.axes import LEFT, RIGHT, WIDTH, Frame, Scale, round_ticks, vertical_scale
from stages.report.charts.bars import BarChart
from stages.report.charts.figures import length_chart, loss_chart, metric_chart
from stages.report.charts.interval import IntervalChart, interval_chart
from stages.report.charts.lines import LineChart
from stages.report.numbers.metrics import Metrics
from stages.report.numbers.residuals import SUSPECT, Residual
from stages.report.numbers.results import Results
from stages.report.render.every_context import EveryContext, read_shared
from stages.report.render.front_matter import HubMetric, front_matter

BASELINES = {"mean": "Mean of train", "tfidf_ridge": "TF-IDF + ridge regression"}
MOST_POINTS = 400  # of the residual plot
HUB_METRICS: Mapping[str, HubMetric] = {
    "mean_absolute_error": ("mae", None),
    "pearson": ("pearsonr", None),
    "spearman": ("spearmanr", None),
    "r2": ("r_squared", None),
}


@dataclass(frozen=True)
class Scatter:
    """Points in viewBox units, each with a tooltip; `zero` is where a residual is 0."""

    frame: Frame
    points: list[tuple[float, float, str]]
    zero: float


@dataclass(frozen=True)
class Charts:
    """All charts of report.html."""

    headline: IntervalChart
    losses: LineChart
    metric: LineChart
    residuals: Scatter
    lengths: BarChart


@dataclass(frozen=True, kw_only=True)
class Context(EveryContext):
    """The variables of the templates of numbers.

    Args:
        results: Of all seeds.
        metrics: The contents of metrics.json.
        baseline_names: As they are shown.
        largest: The rows with the largest residuals.
        suspect_size: From how many robust standard deviations a residual is suspicious.
        charts: Of report.html.
    """

    results: Results
    metrics: Metrics
    baseline_names: dict[str, str]
    largest: list[Residual]
    suspect_size: float
    charts: Charts


def build_context(
    params: Params,
    paths: Paths,
    results: Results,
    metrics: Metrics,
    *,
    ranked: Sequence[Residual],
    suspects: Sequence[Residual],
) -> Context:
    """Gather the values that the templates show.

    Args:
        params: Of the project.
        paths: Of the project.
        results: Of all seeds.
        metrics: The contents of metrics.json.
        ranked: From `ranked_residuals`.
        suspects: From `suspects_of`.
    """
    largest = [row for row in ranked if row.split == results.split][: params.report.mistakes]
    shown = list(suspects)[: params.report.suspects]
    measured = results.champion.metrics[results.split]
    names = list(dict.fromkeys([results.metric, *measured]))
    shared = read_shared(
        params,
        paths,
        results,
        metrics,
        listed=[*largest, *shown],
        rough=partial(_rough_of, results),
        most_classes=len(results.labels),
    )
    return Context(
        **shared,
        failures=_failures(metrics, results.split),
        metric_names=names,
        baseline_names={key: BASELINES[key] for key in metrics.baselines},
        largest=largest,
        suspects=shown,
        suspect_size=SUSPECT,
        charts=_charts(paths, results, metrics),
        front_matter=front_matter(
            params,
            results,
            shared["provenance"],
            task="A number for a text",
            metrics=[name for name in names if math.isfinite(measured[name].value)],
            hub_metrics=HUB_METRICS,
            tags=["regression"],
        ),
    )


def _failures(metrics: Metrics, split: str) -> list[str]:
    sentences = []
    if always := metrics.collapsed.get(str(metrics.champion.seed)):
        sentences.append(
            f"The model always predicts {always}: its answer does not depend on the text. {advice(can_weigh=False)}"
        )
    elif metrics.baselines["mean"]["mean_absolute_error"].high >= 0 and metrics.baselines["mean"]["r2"].low <= 0:
        sentences.append(
            f"On {split} the model is not clearly better than always predicting the mean of train, in R2 and in the "
            f"mean absolute error. {advice(can_weigh=False)}"
        )
    others = [seed for seed in metrics.collapsed if seed != str(metrics.champion.seed)]
    if others:
        sentences.append(f"Models that always predict one number, by seed: {', '.join(others)}.")
    return sentences


def _rough_of(results: Results, split: str) -> dict[str, list[str]]:
    champion = results.champion
    groups = champion.predictions[split].groups
    return numbers_by_reason(champion.metrics[split], champion.residuals(split), groups)


def _charts(paths: Paths, results: Results, metrics: Metrics) -> Charts:
    baselines = {BASELINES[name]: scores["r2"].value for name, scores in metrics.baselines.items()}
    return Charts(
        headline=interval_chart(results.champion.metrics[results.split]["r2"], baselines),
        losses=loss_chart(results),
        metric=metric_chart(results, "r2"),
        residuals=residual_plot(results),
        lengths=length_chart(paths),
    )


def residual_plot(results: Results) -> Scatter:
    """Lay out the residual of each row of the report's split over its prediction; of many rows an even sample."""
    predictions, residuals = results.predictions, results.champion.residuals(results.split)
    rows = np.unique(np.linspace(0, len(residuals) - 1, min(len(residuals), MOST_POINTS)).astype(np.int64))
    preds = predictions.preds.astype(np.float64)
    x_ticks = round_ticks(float(preds[rows].min()), float(preds[rows].max()))
    y_ticks = round_ticks(min(0.0, float(residuals[rows].min())), max(0.0, float(residuals[rows].max())))
    across, up = Scale(x_ticks[0], x_ticks[-1], LEFT + 8, WIDTH - RIGHT - 8), vertical_scale(y_ticks[0], y_ticks[-1])
    points = [
        (
            across(preds[row]),
            up(residuals[row]),
            f"{predictions.ids[row]}: label {predictions.labels[row]:g}, predicted {preds[row]:.4g}",
        )
        for row in rows.tolist()
    ]
    return Scatter(Frame(across.ticks(x_ticks), up.ticks(y_ticks), "predicted number"), points, up(0.0))
