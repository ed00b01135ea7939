"""Which plots the report has, and of what."""

from collections.abc import Sequence
from typing import Any

from stages.metrics.calibration import reliability, scale
from stages.paths import Paths
from stages.report import data_summary
from stages.report.charts import geometry
from stages.report.charts.curves import batch_mcc, precision_recall
from stages.report.results import SeedResult


def draw(
    paths: Paths,
    results: Sequence[SeedResult],
    champion: SeedResult,
    metrics: dict[str, Any],
    *,
    metric: str,
    lead: str,
    split: str,
) -> dict[str, Any]:
    """Lay out every plot.

    Args:
        paths: Of the project.
        results: One per seed.
        champion: The best of them on val.
        metrics: What metrics.json holds.
        metric: What chose the champion.
        lead: The headline metric.
        split: What the report leads with, test or val.
    """
    rows = champion.splits[split]
    size, batches = batch_mcc(rows.labels, rows.preds, num_labels=rows.probabilities.shape[1])
    return {
        **_curves(results, metric),
        "answer_plot": _answer(metrics, lead, split),
        "lengths_plot": geometry.histogram(data_summary.read_lengths(paths.lengths), x_label="tokens", y_label="rows"),
        "calibration_plot": _calibration(champion, split),
        "recall_plot": _recall(champion, split),
        "batch_size": size,
        "batch_plot": geometry.bars(
            [number + 0.5 for number in range(len(batches))],  # centred on whole numbers
            batches,
            width=1,
            x_label="batch",
            y_label="MCC",
            tips=[f"batch {number}: {value:.3f}" for number, value in enumerate(batches, start=1)],
            mark=metrics["champion"][split]["mcc"]["value"],
        ),
    }


def _curves(results: Sequence[SeedResult], metric: str) -> dict[str, Any]:
    epochs = max((result.curve["epoch"] for result in results), key=len)
    loss = {f"{kind}, seed {one.seed}": one.curve[f"{kind}_loss"] for kind in ("train", "val") for one in results}
    score = {f"seed {one.seed}": one.curve[f"val_{metric}"] for one in results}
    return {
        "loss_plot": geometry.lines(loss, epochs, x_label="epoch", y_label="loss"),
        "score_plot": geometry.lines(score, epochs, x_label="epoch", y_label=f"{metric} on val"),
    }


def _answer(metrics: dict[str, Any], lead: str, split: str) -> geometry.Interval:
    others = {"majority class": "majority", "TF-IDF + logistic regression": "tfidf"}
    found = metrics["baselines"]
    values = {name: found[key][lead]["value"] for name, key in others.items() if key in found and lead in found[key]}
    entry = metrics["champion"][split][lead]
    return geometry.interval(entry["value"], entry["low"], entry["high"], others=values)


def _calibration(champion: SeedResult, split: str) -> geometry.Lines:
    rows = champion.splits[split]
    scaled = scale(rows.probabilities, champion.metrics["calibration"]["temperature"])
    series = {}
    for name, probabilities in (("as predicted", rows.probabilities), ("after scaling", scaled)):
        bins = reliability(rows.labels, probabilities)
        series[name] = ([one.confidence for one in bins], [one.accuracy for one in bins])
    series["perfect"] = ([0.0, 1.0], [0.0, 1.0])
    return geometry.curves(series, x_label="probability of the predicted label", y_label="share right")


def _recall(champion: SeedResult, split: str) -> geometry.Lines | None:
    rows = champion.splits[split]
    if rows.probabilities.shape[1] != 2:
        return None
    curve = precision_recall(rows.labels, rows.probabilities)
    return geometry.curves({"precision": curve}, x_label="recall", y_label="precision", markers=False)
