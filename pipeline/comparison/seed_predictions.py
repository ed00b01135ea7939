"""The predictions of all seeds of one revision for one split."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.errors import PipelineError
from stages.metrics.calibration import scale
from stages.predictions import Predictions

Ints = NDArray[np.int64]
Labels = NDArray[Any]  # indices of classes, or numbers


@dataclass(frozen=True)
class SeedPredictions:
    """What the models of all seeds predict for the same rows.

    Attributes:
        ids: Ids of the rows; length rows.
        labels: Label of each row, or its number; shape (rows,).
        probabilities: By seed, in the order of the results; each of shape (rows, num_labels). Where the label is a
            number, the only output.
        tokens: Tokens of each row; shape (rows,). None in files of an older version.
        decided: By seed, the label of each row by its decision rule, or the predicted number; each of shape (rows,). A
            seed that is not there decides for the most probable label, as all did in files of an older version.
        groups: Equal for rows that belong together; shape (rows,). None in files of an older version.
        temperatures: By seed, the temperature of its calibrated probabilities; a seed whose is unknown is not there.
    """

    ids: pa.Array
    labels: Labels
    probabilities: Mapping[int, NDArray[np.float32]]
    tokens: Ints | None = None
    decided: Mapping[int, Labels] = field(default_factory=dict)
    groups: Ints | None = None
    temperatures: Mapping[int, float] = field(default_factory=dict)

    @property
    def preds(self) -> Labels:
        """Predicted labels; shape (seeds, rows)."""
        return np.stack([self.preds_of(seed) for seed in self.probabilities])

    def preds_of(self, seed: int) -> Labels:
        """Labels that one seed's model predicts; shape (rows,)."""
        return self.decided[seed] if seed in self.decided else self.probabilities[seed].argmax(1)

    def calibrated(self, seed: int) -> NDArray[np.float32]:
        """Probabilities of one seed's model as it ships, scaled by its temperature; shape (rows, num_labels)."""
        return scale(self.probabilities[seed], self.temperatures.get(seed, 1.0))

    def take(self, rows: Ints) -> "SeedPredictions":
        """Return the predictions for some rows, by position."""
        return replace(
            self,
            ids=self.ids.take(pa.array(rows)),
            labels=self.labels[rows],
            probabilities={seed: probabilities[rows] for seed, probabilities in self.probabilities.items()},
            tokens=None if self.tokens is None else self.tokens[rows],
            decided={seed: preds[rows] for seed, preds in self.decided.items()},
            groups=None if self.groups is None else self.groups[rows],
        )

    def reorder_labels(self, names: list[str], order: list[str]) -> "SeedPredictions":
        """Return the same predictions with labels numbered as in `order`, which holds the same `names`."""
        if names == order:
            return self
        columns = np.array([names.index(name) for name in order])
        numbers = np.argsort(columns)  # the new number of each label
        return replace(
            self,
            labels=numbers[self.labels],
            probabilities={seed: probabilities[:, columns] for seed, probabilities in self.probabilities.items()},
            decided={seed: numbers[preds] for seed, preds in self.decided.items()},
        )


def merge_seeds(
    seeds: Mapping[int, Predictions], *, name: str, temperatures: Mapping[int, float] | None = None
) -> SeedPredictions:
    """Return the predictions of several seeds for one split as one object.

    Args:
        seeds: Predictions of each seed.
        name: What they are, for the error message: `test of v1.2`.
        temperatures: By seed, where they are known.

    Raises:
        PipelineError: The seeds were evaluated on different rows.
    """
    first_seed, first = next(iter(seeds.items()))
    for seed, predictions in seeds.items():
        if list(predictions.ids) != list(first.ids):
            raise PipelineError(
                f"{name}: seeds {first_seed} and {seed} were evaluated on different rows. "
                "Evaluate them again: retune run"
            )
    return SeedPredictions(
        ids=pa.array(first.ids, pa.string()),
        labels=first.labels,
        probabilities={seed: predictions.probabilities for seed, predictions in seeds.items()},
        tokens=first.tokens,
        decided={seed: split.decided for seed, split in seeds.items() if split.decided is not None},
        groups=first.groups,
        temperatures=temperatures or {},
    )
