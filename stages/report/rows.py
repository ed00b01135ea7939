"""The rows behind the predictions: their texts, and the columns that slices are made of."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.paths import Paths
from stages.report.slices import length_slices
from stages.tokens import open_tokens, read_positions

Ints = NDArray[np.int64]

OWN = ("id", "text", "text_pair", "label", "text_key")  # what is no slice: no two rows share it, or it is the answer


def read_texts(paths: Paths, positions: Sequence[int] | Ints) -> list[str]:
    """Read the texts of some rows; the second text of a pair follows after a line break."""
    table = pq.read_table(paths.rows, columns=["text", "text_pair"]).take(positions)
    pairs = zip(table["text"].to_pylist(), table["text_pair"].to_pylist(), strict=True)
    return ["\n".join(part for part in pair if part) for pair in pairs]


def read_slice_columns(paths: Paths, positions: Ints, *, max_length: int) -> dict[str, Sequence[str | None]]:
    """Read each row's length quarter, whether it may be cut, and every further column that the rows were kept with."""
    lengths = open_tokens(paths.tokens).lengths[positions]
    columns = length_slices(lengths, max_length=max_length)
    others = [name for name in pq.read_schema(paths.rows).names if name not in OWN]
    table = pq.read_table(paths.rows, columns=others).take(positions)
    return columns | {name: table[name].to_pylist() for name in others}


def read_train(paths: Paths) -> tuple[list[str], Ints]:
    """Read texts and label indices of train."""
    positions = read_positions(paths.split("train"))
    return read_texts(paths, positions), open_tokens(paths.tokens).labels[positions]


def split_counts(paths: Paths) -> dict[str, Counter[str]]:
    """Count the rows of each split by label."""
    labels = pq.read_table(paths.rows, columns=["label"]).column("label")
    names = ("train", "val", "test")
    return {name: Counter(labels.take(read_positions(paths.split(name))).to_pylist()) for name in names}
