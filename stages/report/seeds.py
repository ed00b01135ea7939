"""The results of all seeds, whatever the kind of target, checked to belong together, and the champion."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

import numpy as np
import pandas as pd

from stages.errors import ReportError
from stages.files import read_json
from stages.metrics.names import SPLITS, lower_is_better
from stages.metrics.summary import MetricValue
from stages.paths import Paths
from stages.predictions import Predictions, read_predictions
from stages.report.training import kept_weights
from stages.schema import Evaluate
from stages.targets.target import read_target

PER_LABEL = ("per_class", "per_label")  # beside the metrics of a split in evaluate's metrics.json


@dataclass(frozen=True, kw_only=True)
class TrainedSeed:
    """The fine-tuned model of one seed: how its training went, and how it scores.

    Args:
        seed: Of the fine-tuning.
        metrics: By split (val, test) and name; empty for a split without rows.
        predictions: By split (val, test).
        curve: A row per epoch, a column per quantity.
        kept: Which weights were kept: `epoch 3`.
        stuck: A sentence, where the loss did not get below that of a constant answer.
    """

    seed: int
    metrics: dict[str, dict[str, MetricValue]]
    predictions: dict[str, Predictions]
    curve: pd.DataFrame
    kept: str
    stuck: str | None = None


Result = TypeVar("Result", bound=TrainedSeed)


@dataclass(frozen=True)
class AllSeeds(Generic[Result]):
    """The results of all seeds, and the champion: the one that is best on val."""

    labels: list[str]  # of a number, the ranges that rows are counted by
    metric: str  # that leads
    seeds: list[Result]
    champion: Result
    ordered: bool = False  # whether the labels have an order, as stars do

    @classmethod
    def read(
        cls, paths: Paths, seeds: Sequence[int], evaluate: Evaluate, read_seed: Callable[[Paths, int], Result]
    ) -> Self:
        """Read what finetune and evaluate wrote for each seed, by `read_seed`.

        Raises:
            ReportError: A file is missing, the seeds were evaluated on different rows, or val and test are both empty.
        """
        results = []
        for seed in seeds:
            _require_files(paths, seed)
            results.append(read_seed(paths, seed))
        _require_same_rows(paths, results)
        target = read_target(paths.labels)
        metric = target.leading(evaluate.metric)
        return cls(target.labels, metric, results, choose_champion(results, metric), target.in_order)

    @property
    def split(self) -> str:
        """The split that the report shows: test, or val if test has no rows."""
        return "test" if len(self.champion.predictions["test"]) else "val"

    @property
    def predictions(self) -> Predictions:
        """The champion's predictions for that split."""
        return self.champion.predictions[self.split]


def read_shared(paths: Paths, seed: int) -> dict[str, Any]:
    """Return the fields of `TrainedSeed`, from what finetune and evaluate wrote for a seed."""
    written, trained = read_json(paths.metrics(seed)), read_json(paths.finetune_stats(seed))
    return {
        "seed": seed,
        "metrics": {
            split: {name: MetricValue(**entry) for name, entry in written[split].items() if name not in PER_LABEL}
            for split in SPLITS
        },
        "predictions": read_predictions(paths.predictions(seed)),
        "curve": pd.read_csv(paths.curve(seed)),
        "kept": kept_weights(trained),
        "stuck": trained.get("stuck"),
    }


def only_answer(result: TrainedSeed) -> Any:
    """Return what a model predicts for all rows of val and test, whose labels differ; None: its answers do too."""
    splits = result.predictions.values()
    labels, preds = (
        np.unique(np.concatenate(column), axis=0)
        for column in ([split.labels for split in splits], [split.preds for split in splits])
    )
    return preds[0] if len(preds) == 1 < len(labels) else None


def choose_champion(results: Sequence[Result], metric: str) -> Result:
    """Return the seed with the best `metric` on val; the first one in case of a tie or without val rows.

    Test is not used to choose, so its metrics remain an unbiased estimate for new data.
    """
    if not all(metric in result.metrics["val"] for result in results):
        return results[0]
    best = min if lower_is_better(metric) else max
    return best(results, key=lambda result: result.metrics["val"][metric].value)


def _require_files(paths: Paths, seed: int) -> None:
    """Check that finetune and evaluate wrote what the report reads of a seed.

    Raises:
        ReportError: A file is missing.
    """
    for path in (paths.metrics(seed), paths.predictions(seed), paths.curve(seed), paths.finetune_stats(seed)):
        if not path.is_file():
            raise ReportError(f"{path} is missing. Create it with: dvc repro")


def _require_same_rows(paths: Paths, results: Sequence[TrainedSeed]) -> None:
    """Check that all seeds were evaluated on the same rows, of which there are some.

    Raises:
        ReportError: They were not.
    """
    first, *others = results
    for split, predictions in first.predictions.items():
        for other in others:
            if not np.array_equal(other.predictions[split].positions, predictions.positions):
                raise ReportError(
                    f"{paths.predictions(other.seed)}: its {split} rows differ from those of seed {first.seed}. "
                    "Evaluate all seeds on the same split: dvc repro"
                )
    if not any(len(predictions) for predictions in first.predictions.values()):
        raise ReportError(
            f"{paths.predictions(first.seed)} has no rows. Set split.val or split.test to a share above 0."
        )
