"""What the earlier stages found, read from their files and checked to fit together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.errors import ReportError
from stages.files import read_json
from stages.paths import Paths
from stages.predictions import Predictions, read_predictions


@dataclass(frozen=True)
class SeedResult:
    """Everything about one fine-tuned model."""

    seed: int
    metrics: dict[str, Any]  # {"val": ..., "test": ...} as evaluate wrote them
    splits: dict[str, Predictions]
    curve: dict[str, list[float]]  # a column per quantity, a row per epoch
    stats: dict[str, Any]


def read_results(paths: Paths, seeds: Sequence[int]) -> list[SeedResult]:
    """Read what finetune and evaluate left for each seed.

    Raises:
        ReportError: A file is missing, or the seeds were measured on different rows.
    """
    results = [_read_seed(paths, seed) for seed in seeds]
    for name in ("val", "test"):
        for result in results[1:]:
            if not np.array_equal(result.splits[name].positions, results[0].splits[name].positions):
                raise ReportError(
                    f"{paths.predictions(result.seed)}: its {name} rows are not those of seed {results[0].seed}. "
                    "Evaluate all seeds on the same split: dvc repro"
                )
    if not len(results[0].splits["test"]) and not len(results[0].splits["val"]):
        raise ReportError(
            f"{paths.predictions(seeds[0])} has no rows. Give split.val and split.test a share of the rows."
        )
    return results


def _read_seed(paths: Paths, seed: int) -> SeedResult:
    for path in (paths.metrics(seed), paths.predictions(seed), paths.curve(seed), paths.finetune_stats(seed)):
        if not path.is_file():
            raise ReportError(f"{path} is missing. Make it with: dvc repro")
    return SeedResult(
        seed=seed,
        metrics=read_json(paths.metrics(seed)),
        splits=read_predictions(paths.predictions(seed)),
        curve=_read_curve(paths.curve(seed)),
        stats=read_json(paths.finetune_stats(seed)),
    )


def _read_curve(path: Path) -> dict[str, list[float]]:
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    columns = header.split(",")
    rows = [[float(cell or "nan") for cell in line.split(",")] for line in lines]
    return {name: [row[number] for row in rows] for number, name in enumerate(columns)}
