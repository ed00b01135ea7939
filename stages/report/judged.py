"""Rows beside what models answer that were not trained on them: what suspect labels are sought in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.predictions import Predictions

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Judged:
    """Rows with their labels, and models' answers.

    Attributes:
        ids: Ids of the rows; length rows.
        positions: Positions of the rows in rows.parquet; shape (rows,).
        splits: Names of their splits; length rows.
        labels: Label index, number or flags of each row; shape (rows, ...).
        answers: Calibrated probabilities, or numbers, the mean over the models; shape (rows, outputs), or of numbers
            (rows,).
        unjudged: Numbers of the labels of sets that the models can't judge.
    """

    ids: Sequence[str]
    positions: Ints
    splits: Sequence[str]
    labels: NDArray[Any]
    answers: NDArray[np.floating]
    unjudged: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.ids)


def judged_by_seeds(splits: Mapping[str, Predictions], answers: Mapping[str, Sequence[NDArray[np.floating]]]) -> Judged:
    """Return the rows of val and test, judged by the models of all seeds.

    Rows of train are left out, because a model reproduces the labels that it was trained on. The answers are averaged
    over the seeds, which is more reliable than those of a single seed.

    Args:
        splits: The predictions of one seed, by split.
        answers: Of each seed, by split; shape (rows, ...) each.
    """
    present = {name: split for name, split in splits.items() if len(split)}
    return Judged(
        ids=[row for split in present.values() for row in split.ids],
        positions=np.concatenate([split.positions for split in present.values()]),
        splits=[name for name, split in present.items() for _ in range(len(split))],
        labels=np.concatenate([split.labels for split in present.values()]),
        answers=np.concatenate([np.mean(answers[name], axis=0) for name in present]),
    )
