"""Rows of the data set: their texts, and the columns that divide them into slices."""

from collections.abc import Sequence

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.paths import Paths
from stages.report.slices import token_slices
from stages.tokens import open_tokens, read_column, read_positions

Ints = NDArray[np.int64]

NO_SLICES = ("id", "text", "text_pair", "label", "text_key", "cluster")  # different in each row, or the label itself
KEPT = "slice:"  # prefix of columns from download.dataset.columns.slices


def read_texts(paths: Paths, positions: Sequence[int] | Ints) -> list[str]:
    """Read the texts of the rows at `positions`; the two texts of a pair are joined by a line break."""
    table = pq.read_table(paths.rows, columns=["text", "text_pair"]).take(positions)
    pairs = zip(table["text"].to_pylist(), table["text_pair"].to_pylist(), strict=True)
    return ["\n".join(part for part in pair if part) for pair in pairs]


def read_slice_columns(paths: Paths, positions: Ints) -> dict[str, Sequence[str | None]]:
    """Read the slice columns: length quarter, truncation, group, split, and the columns kept for slices."""
    lengths = open_tokens(paths.tokens).lengths[positions]
    cut = read_column(paths.tokens, "tokens_cut").to_numpy()[positions]
    columns = token_slices(lengths, cut)
    names = [name for name in pq.read_schema(paths.rows).names if name not in NO_SLICES]
    table = pq.read_table(paths.rows, columns=names).take(positions)
    for name in names:
        column = name.removeprefix(KEPT)
        unclear = column in columns or column.isdecimal()  # files without a header number their columns
        columns[f"column {column}" if unclear else column] = table[name].to_pylist()
    return columns


def read_train(paths: Paths) -> tuple[list[str], Ints]:
    """Read the texts and label indices of train."""
    positions = read_positions(paths.split("train"))
    return read_texts(paths, positions), open_tokens(paths.tokens).labels[positions]
