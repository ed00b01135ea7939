"""The results of all seeds, read from the files of the earlier stages and checked to belong together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
import pandas as pd

from stages.errors import ReportError
from stages.files import read_json
from stages.metrics.names import lower_is_better
from stages.metrics.rule import DecisionRule, Trial
from stages.metrics.summary import MetricValue
from stages.paths import Paths
from stages.predictions import Predictions, read_predictions
from stages.report.training import kept_weights
from stages.schema import Evaluate
from stages.targets.target import read_target

IMBALANCED = 0.6  # share of the most frequent label above which accuracy looks better than the model is


class Measured(Protocol):
    """The result of a seed, whatever the kind of target."""

    @property
    def seed(self) -> int:
        """Of the fine-tuning."""

    @property
    def metrics(self) -> Mapping[str, Mapping[str, MetricValue]]:
        """By split (val, test) and name; empty for a split without rows."""

    @property
    def predictions(self) -> Mapping[str, Predictions]:
        """By split (val, test)."""


Result = TypeVar("Result", bound=Measured)


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


@dataclass(frozen=True)
class SeedResult:
    """The fine-tuned model of one seed: how its training went, and how it scores.

    Args:
        seed: Of the fine-tuning.
        metrics: By split (val, test) and name; empty for a split without rows.
        rule: The decision rule, fitted on val.
        trial: Of the threshold that was or was not taken; None where none was tried.
        predictions: By split (val, test).
        curve: A row per epoch, a column per quantity.
        kept: Which weights were kept: `epoch 3`.
        stuck: A sentence, where the loss did not get below that of a constant answer.
    """

    seed: int
    metrics: dict[str, dict[str, MetricValue]]
    rule: DecisionRule
    trial: Trial | None
    predictions: dict[str, Predictions]
    curve: pd.DataFrame
    kept: str
    stuck: str | None = None


@dataclass(frozen=True)
class Results(AllSeeds[SeedResult]):
    """All seeds of a model of classes."""

    @property
    def imbalanced(self) -> bool:
        """Whether one label has so many of the rows that always predicting it gives a high accuracy."""
        return bool(np.bincount(self.predictions.labels).max() / len(self.predictions) > IMBALANCED)


def read_results(paths: Paths, seeds: Sequence[int], evaluate: Evaluate) -> Results:
    """Read what finetune and evaluate wrote for each seed; raises as `AllSeeds.read`."""
    return Results.read(paths, seeds, evaluate, _read_seed)


def _require_same_rows(paths: Paths, results: Sequence[Measured]) -> None:
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


def _require_files(paths: Paths, seed: int) -> None:
    """Check that finetune and evaluate wrote what the report reads of a seed.

    Raises:
        ReportError: A file is missing.
    """
    for path in (paths.metrics(seed), paths.predictions(seed), paths.curve(seed), paths.finetune_stats(seed)):
        if not path.is_file():
            raise ReportError(f"{path} is missing. Create it with: dvc repro")


def only_answer(result: Measured) -> Any:
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


def _read_seed(paths: Paths, seed: int) -> SeedResult:
    written = read_json(paths.metrics(seed))
    fitted, trained = written["calibration"], read_json(paths.finetune_stats(seed))
    return SeedResult(
        seed=seed,
        metrics={
            split: {name: MetricValue(**entry) for name, entry in written[split].items() if name != "per_class"}
            for split in ("val", "test")
        },
        rule=DecisionRule(fitted["temperature"], fitted["threshold"]),
        trial=Trial(**fitted["trial"]) if fitted["trial"] else None,
        predictions=read_predictions(paths.predictions(seed)),
        curve=pd.read_csv(paths.curve(seed)),
        kept=kept_weights(trained),
        stuck=trained.get("stuck"),
    )
