"""What a fine-tune reads from the stages before it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.paths import Paths
from stages.targets.target import Target, read_target
from stages.tokens import Tokens, open_tokens, read_positions


@dataclass(frozen=True)
class Inputs:
    """Tokens, labels and the two splits; the test split is not among them.

    Args:
        target: Kind and labels.
        tokens: The tokens of all rows.
        train, val: Positions of each split's rows in the tokens; shape (rows,).
    """

    target: Target
    tokens: Tokens
    train: NDArray[np.int64]
    val: NDArray[np.int64]

    @property
    def labels(self) -> list[str]:
        """Names of the classes in class order."""
        return self.target.labels

    @property
    def train_labels(self) -> NDArray[Any]:
        """Label index of each row of train, or what else a model learns of it; shape (rows, ...)."""
        return self.tokens.labels[self.train]

    def with_labels(self, labels: NDArray[Any]) -> "Inputs":
        """Return the same inputs, of which a model learns something else; shape (all rows, ...)."""
        return replace(self, tokens=replace(self.tokens, labels=labels))

    def padded_on(self, side: str) -> "Inputs":
        """Return the same inputs, whose batches are padded on this side."""
        return replace(self, tokens=replace(self.tokens, padding_side=side))


def read_inputs(paths: Paths) -> Inputs:
    """Open the tokens and read the labels and the splits."""
    train, val = (read_positions(paths.split(name)) for name in ("train", "val"))
    return Inputs(read_target(paths.labels), open_tokens(paths.tokens), train, val)


def input_files(paths: Paths) -> list[Path]:
    """Return every file whose bytes decide what a fine-tune computes, the encoder's included."""
    splits = [paths.split(name) for name in ("train", "val")]
    return [paths.labels, *sorted(paths.tokens.iterdir()), *splits, *sorted(paths.encoder.glob("*.*"))]
