"""Rows of the data set: their texts, and the slices that they belong to."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.metrics.slices import Slices, cut_slices, slice_columns
from stages.paths import Paths
from stages.predictions import Predictions
from stages.tokens import open_tokens, read_column, read_positions

Ints = NDArray[np.int64]


def read_texts(paths: Paths, positions: Sequence[int] | Ints) -> list[str]:
    """Read the texts of the rows at `positions`; the two texts of a pair are joined by a line break."""
    table = pq.read_table(paths.rows, columns=["text", "text_pair"]).take(positions)
    pairs = zip(table["text"].to_pylist(), table["text_pair"].to_pylist(), strict=True)
    return ["\n".join(part for part in pair if part) for pair in pairs]


def read_slices(paths: Paths, split: Predictions) -> Slices:
    """Return the split's slices: by length, truncation, group, file, and the columns kept for slices."""
    names = slice_columns(pq.read_schema(paths.rows).names)
    table = pq.read_table(paths.rows, columns=names).take(split.positions)
    tokens_cut = read_column(paths.tokens, "tokens_cut").to_numpy()[split.positions]
    return cut_slices({name: table[name] for name in names}, tokens=split.tokens, tokens_cut=tokens_cut)


def read_train(paths: Paths) -> tuple[list[str], NDArray[Any]]:
    """Read the texts and labels of train: indices of classes, or numbers."""
    positions = read_positions(paths.split("train"))
    return read_texts(paths, positions), open_tokens(paths.tokens).labels[positions]
