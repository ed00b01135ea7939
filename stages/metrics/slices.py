"""Named parts of the rows: quarters by length, truncated rows, and the values of each column kept for slices."""

import itertools
from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stages.columns import SLICE_PREFIX

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Slices = dict[tuple[str, str], Mask]  # (column, value) -> which rows have that value, shape (rows,)

NOT_SLICED = ("id", "text", "text_pair", "label", "text_key", "cluster")  # each row has its own, or it is the label
COMPUTED = ("length", "truncation")
MOST_VALUES = 12  # of a column, the most frequent ones; all others together are one more slice
LONGEST = 60  # characters of a value
NO_VALUE = "(none)"


def slice_columns(names: Iterable[str]) -> list[str]:
    """Return the columns of rows.parquet by which rows are sliced."""
    return [name for name in names if name not in NOT_SLICED]


def cut_slices(
    columns: Mapping[str, pa.ChunkedArray], *, tokens: Ints | None = None, tokens_cut: Ints | None = None
) -> Slices:
    """Return the slices of the rows; a column with only one value has none.

    Args:
        columns: Columns of rows.parquet, named as there; the rows without a value are a slice too.
        tokens: Tokens of each row, for quarters by length; shape (rows,).
        tokens_cut: Tokens that truncation removed from each row; shape (rows,).
    """
    parts: dict[str, dict[str, Mask]] = {}
    if tokens is not None and len(tokens):
        parts["length"] = _length_quarters(tokens)
    if tokens_cut is not None:
        parts["truncation"] = {"cut": tokens_cut > 0, "whole": tokens_cut == 0}
    for name, column in columns.items():
        shown = name.removeprefix(SLICE_PREFIX)
        ambiguous = shown in COMPUTED or shown in parts or shown.isdecimal()  # a number: the file has no header
        parts[f"column {shown}" if ambiguous else shown] = _values(column)
    slices: Slices = {}
    for name, masks in parts.items():
        present = {value: mask for value, mask in masks.items() if mask.any()}
        if len(present) > 1:
            slices |= {(name, value): mask for value, mask in present.items()}
    return slices


def _length_quarters(tokens: Ints) -> dict[str, Mask]:
    edges = np.unique(np.quantile(tokens, [0.25, 0.5, 0.75]).astype(np.int64))
    bounds = [0, *edges.tolist(), int(tokens.max())]
    quarter = np.searchsorted(edges, tokens, "left")
    return {
        f"{low + 1} to {high} tokens": quarter == number
        for number, (low, high) in enumerate(itertools.pairwise(bounds))
    }


def _values(column: pa.ChunkedArray) -> dict[str, Mask]:
    """The rows of each of the most frequent values, and those of all other values."""
    texts = pc.utf8_slice_codeunits(pc.fill_null(column.cast(pa.string()), NO_VALUE), 0, LONGEST)
    encoded = texts.combine_chunks().dictionary_encode()
    names, codes = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
    counts = np.bincount(codes, minlength=len(names))
    order = sorted(range(len(names)), key=lambda code: (-counts[code], names[code]))
    masks = {names[code]: codes == code for code in order[:MOST_VALUES]}
    if rare := order[MOST_VALUES:]:
        masks[f"{len(rare):,} other value{'s' if len(rare) > 1 else ''}"] = np.isin(codes, rare)
    return masks
