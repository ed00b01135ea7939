"""metrics.json: every number of the report, computed once, rounded, under stable keys."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stages.metrics.bootstrap import Bootstrap
from stages.metrics.calibration import scale
from stages.metrics.classification import count_scores, per_class, ratio
from stages.metrics.estimates import are_ordered
from stages.predictions import Predictions
from stages.report.results import SeedResult
from stages.report.slices import Slice
from stages.report.summary import champion_entries, summarise
from stages.report.suspects import Suspect

IMBALANCED = 0.6  # share of the most frequent label from which on accuracy flatters
PLACES = 3


def measured_split(result: SeedResult) -> str:
    """Return the split that the report leads with: test, or val where test has no rows."""
    return "test" if len(result.splits["test"]) else "val"


def is_imbalanced(split: Predictions) -> bool:
    """Say whether one label has most of the rows, so that guessing it always looks good by accuracy."""
    return bool(np.bincount(split.labels).max() / len(split) > IMBALANCED)


def collect(
    results: Sequence[SeedResult],
    champion: SeedResult,
    labels: list[str],
    *,
    baselines: Mapping[str, Any],
    slices: Sequence[Slice],
    suspects: Sequence[Suspect],
    ordered: str,
    bootstrap: Bootstrap,
) -> dict[str, Any]:
    """Return what metrics.json holds.

    Args:
        results: One per seed.
        champion: The best of them on val.
        labels: Names of the classes.
        baselines: From `baselines.compare`.
        slices: Of the champion, weakest first.
        suspects: Rows whose label looks wrong.
        ordered: auto, yes or no: whether the classes have an order.
        bootstrap: Of the intervals.
    """
    name = measured_split(champion)
    split = champion.splits[name]
    fitted = champion.metrics["calibration"]
    has_order = are_ordered(labels, ordered)
    val, _ = summarise(results, "val", ordered=has_order, bootstrap=bootstrap)
    test, shares = summarise(results, "test", ordered=has_order, bootstrap=bootstrap)
    return {
        "champion": {
            "seed": champion.seed,
            "temperature": fitted["temperature"],
            "threshold": fitted["threshold"],
            "test": champion_entries(champion, "test"),
            "val": champion_entries(champion, "val"),
        },
        "val": val,
        "test": test,
        "seeds_share_of_variance": shares,
        "baselines": dict(baselines),
        "at_threshold": _at_threshold(split, fitted),
        "per_class": _per_class(split, labels),
        "averages": _averages(split, labels),
        "slices": _slices(slices),
        "mistakes": {"rows": len(split), "wrong": int((split.preds != split.labels).sum())},
        "suspects": {"rows": sum(len(one) for one in champion.splits.values()), "found": len(suspects)},
    }


def _per_class(split: Predictions, labels: list[str]) -> dict[str, dict[str, float]]:
    columns = per_class(split.labels, split.preds, num_labels=len(labels))
    support = columns.pop("support").astype(int)
    return {
        label: {name: round(float(values[index]), PLACES) for name, values in columns.items()}
        | {"support": int(support[index])}
        for index, label in enumerate(labels)
    }


def _averages(split: Predictions, labels: list[str]) -> dict[str, dict[str, float]]:
    """The last rows of the usual classification report: means over the classes, plain and weighted by their rows."""
    columns = per_class(split.labels, split.preds, num_labels=len(labels))
    support = columns.pop("support")
    weights = {"macro": (support > 0).astype(np.float64), "weighted": support}
    return {
        name: {column: round(float(np.average(values, weights=weight)), PLACES) for column, values in columns.items()}
        | {"support": int(support.sum())}
        for name, weight in weights.items()
    }


def _at_threshold(split: Predictions, fitted: Mapping[str, Any]) -> dict[str, float]:
    """What a binary classifier does with the threshold fitted on val; empty for more classes."""
    if fitted["threshold"] is None:
        return {}
    scaled = scale(split.probabilities, fitted["temperature"])
    preds = (scaled[:, 1] >= fitted["threshold"]).astype(np.int64)
    scores = count_scores(np.ones(len(split), dtype=np.int64), split.labels, preds, num_labels=2)
    hits, found, given = int((preds & split.labels).sum()), int(preds.sum()), int(split.labels.sum())
    numbers = {name: float(scores[name]) for name in ("accuracy", "macro_f1", "mcc")}
    numbers |= {"precision": float(ratio(np.array(hits), np.array(found))), "recall": hits / max(1, given)}
    return {name: round(value, PLACES) for name, value in numbers.items()}


def _slices(slices: Sequence[Slice]) -> dict[str, dict[str, dict[str, float]]]:
    columns: dict[str, dict[str, dict[str, float]]] = {}
    for one in slices:
        numbers = {"rows": one.rows, "value": one.value, "low": one.low, "high": one.high}
        columns.setdefault(one.column, {})[one.name] = numbers
    return columns
