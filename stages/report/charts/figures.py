"""The charts of the report: which there are, and what they show."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.metrics.calibration import reliability
from stages.metrics.summary import MetricValue
from stages.paths import Paths
from stages.report.charts.bars import Bar, BarChart, bar_chart, histogram
from stages.report.charts.curves import batch_mcc, precision_recall
from stages.report.charts.interval import IntervalChart, interval_chart
from stages.report.charts.lines import LineChart, epoch_chart, unit_chart
from stages.report.metrics import Metrics
from stages.report.results import Results
from stages.report.seeds import AllSeeds

Ints = NDArray[np.int64]
Floats = NDArray[np.floating]

STYLES = 6  # of lines: colour, dash and marker
BASELINES = {"majority": "majority class", "tfidf": "TF-IDF + logistic regression"}


@dataclass(frozen=True)
class Charts:
    """All charts of report.html."""

    headline: IntervalChart
    losses: dict[str, LineChart]  # by title
    metric: LineChart
    batches: BarChart | None  # only where `report.mcc_per_batch` asks for it
    batch_size: int
    calibration: LineChart
    precision_recall: LineChart | None  # binary tasks
    lengths: BarChart


def make_charts(
    paths: Paths, results: Results, metrics: Metrics, *, metric: str, headline: str, mcc_per_batch: int | None
) -> Charts:
    """Lay out every chart.

    Args:
        paths: Of the project.
        results: Of all seeds.
        metrics: The contents of metrics.json.
        metric: The metric that chose the champion.
        headline: The metric at the top of the report.
        mcc_per_batch: Rows of each bar of the chart of MCC; None: no such chart.
    """
    champion = metrics.champion.test or metrics.champion.val
    batch_size, batches = _batches(results, champion["mcc"], mcc_per_batch) if mcc_per_batch else (0, None)
    return Charts(
        headline=_headline(champion[headline], metrics, headline),
        losses=_losses(results),
        metric=metric_chart(results, metric),
        batches=batches,
        batch_size=batch_size,
        calibration=_calibration(results),
        precision_recall=_precision_recall(results),
        lengths=length_chart(paths),
    )


def _headline(champion: MetricValue, metrics: Metrics, headline: str) -> IntervalChart:
    values = {
        name: metrics.baselines[key][headline].value
        for key, name in BASELINES.items()
        if headline in metrics.baselines.get(key, {})
    }
    return interval_chart(champion, values)


def epochs_of(results: AllSeeds[Any]) -> list[int]:
    """Return the epochs of the seed that ran longest."""
    epochs: list[int] = max((result.curve["epoch"] for result in results.seeds), key=len).tolist()
    return epochs


def _losses(results: Results) -> dict[str, LineChart]:
    """One chart, or one per split where its lines would be more than there are styles to tell them apart by."""
    if 2 * len(results.seeds) <= STYLES:
        return {"Loss on train and val": loss_chart(results)}
    epochs = epochs_of(results)
    return {
        f"Loss on {split}": epoch_chart(
            {f"seed {result.seed}": result.curve[f"{split}_loss"].tolist() for result in results.seeds}, epochs
        )
        for split in ("train", "val")
    }


def loss_chart(results: AllSeeds[Any]) -> LineChart:
    """Lay out the losses on train and val over the epochs, a line per split and seed."""
    losses = {
        f"{split}, seed {result.seed}": result.curve[f"{split}_loss"].tolist()
        for split in ("train", "val")
        for result in results.seeds
    }
    return epoch_chart(losses, epochs_of(results))


def metric_chart(results: AllSeeds[Any], metric: str) -> LineChart:
    """Lay out a metric on val over the epochs, a line per seed."""
    values = {f"seed {result.seed}": result.curve[f"val_{metric}"].tolist() for result in results.seeds}
    return epoch_chart(values, epochs_of(results))


def _batches(results: Results, mcc: MetricValue, batch_size: int) -> tuple[int, BarChart]:
    predictions = results.predictions
    size, scores = batch_mcc(
        predictions.labels, predictions.preds, batch_size=batch_size, num_labels=len(results.labels)
    )
    bars = [
        Bar(number - 0.5, score, f"batch {number}: {score:.3f}")  # centred on the batch's number
        for number, score in enumerate(scores, start=1)
    ]
    return size, bar_chart(bars, width=1, x_label="batch", line=mcc.value)


def _calibration(results: Results) -> LineChart:
    predictions = results.predictions
    scaled = results.champion.rule.calibrate(predictions.probabilities)
    answers = predictions.probabilities, scaled
    return reliability_chart(predictions.labels, *answers, preds=predictions.preds, of="the predicted label")


def reliability_chart(labels: Ints, predicted: Floats, scaled: Floats, *, preds: Ints, of: str) -> LineChart:
    """Lay out how often answers are right by their probability, before and after scaling.

    Args:
        labels: Shape (rows,).
        predicted: Probabilities as the model gives them; shape (rows, num_labels).
        scaled: The same, calibrated.
        preds: Predicted labels; shape (rows,).
        of: What the probability is of.
    """
    series = {}
    for name, probabilities in (("as predicted", predicted), ("after scaling", scaled)):
        bins = reliability(labels, probabilities, preds=preds)
        series[name] = ([part.confidence for part in bins], [part.accuracy for part in bins])
    series["perfect"] = ([0.0, 1.0], [0.0, 1.0])
    return unit_chart(series, x_label=f"probability of {of}")


def _precision_recall(results: Results) -> LineChart | None:
    if len(results.labels) != 2:
        return None
    curve = precision_recall(results.predictions)
    return unit_chart({"precision": curve}, x_label="recall", markers=False)


def length_chart(paths: Paths) -> BarChart:
    """Lay out how many rows have how many tokens."""
    lengths = pd.read_csv(paths.lengths)
    counts = dict(zip(lengths["tokens"].tolist(), lengths["rows"].tolist(), strict=True))
    return histogram(counts, x_label="tokens")
