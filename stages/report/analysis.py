"""What the results say: baselines, slices and suspects, put together with the metrics."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.metrics.bootstrap import Bootstrap
from stages.metrics.estimates import are_ordered
from stages.paths import Paths
from stages.predictions import Predictions
from stages.report.baselines import compare, predict_majority, predict_tfidf
from stages.report.numbers import collect, measured_split
from stages.report.results import SeedResult
from stages.report.rows import read_slices, read_texts, read_train
from stages.report.slices import score_slices
from stages.report.suspects import Suspect, find_suspects


def analyse(
    params: dict[str, Any], paths: Paths, *, results: Sequence[SeedResult], champion: SeedResult, labels: list[str]
) -> tuple[dict[str, Any], list[Suspect]]:
    """Return what metrics.json holds, and the rows whose label looks wrong.

    Args:
        params: All parameters, as nested plain values.
        paths: Of the project.
        results: One per seed.
        champion: The best of them on val.
        labels: Names of the classes.
    """
    options = params["evaluate"]
    bootstrap = Bootstrap(options["resamples"], options["confidence"], options["seed"])
    split = champion.splits[measured_split(champion)]
    predicted = _baselines(paths, split, num_labels=len(labels), most_rows=params["report"]["baseline_rows"])
    ordered = are_ordered(labels, options["ordered"])
    slices = score_slices(
        read_slices(paths, split),
        split.labels,
        split.preds,
        metric=options["metric"],
        num_labels=len(labels),
        bootstrap=bootstrap,
    )
    suspects = find_suspects(results, labels, ordered=ordered)
    metrics = collect(
        results,
        champion,
        labels,
        baselines=compare(split.labels, split.probabilities, predicted, ordered=ordered, bootstrap=bootstrap),
        slices=slices,
        suspects=suspects,
        ordered=options["ordered"],
        bootstrap=bootstrap,
    )
    return metrics, suspects


def _baselines(paths: Paths, split: Predictions, *, num_labels: int, most_rows: int) -> dict[str, NDArray[np.float32]]:
    """Probabilities of each baseline on the split's rows; fitted once, whatever the number of seeds."""
    train_texts, train_labels = read_train(paths)
    predicted = {"majority": predict_majority(train_labels, len(split), num_labels=num_labels)}
    if most_rows:
        predicted["tfidf"] = predict_tfidf(
            train_texts,
            train_labels,
            read_texts(paths, split.positions),
            num_labels=num_labels,
            most_rows=most_rows,
            seed=0,
        )
    return predicted
