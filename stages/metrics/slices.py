"""Named parts of the rows: quarters by length, truncated rows, and the values of each column kept for slices."""

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stages.columns import SLICE_PREFIX
from stages.messages import counted
from stages.shown import visible

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Slices = dict[tuple[str, str], Mask]  # (column, value) -> which rows have that value, shape (rows,)

NOT_SLICED = ("id", "text", "text_pair", "label", "text_key", "cluster")  # each row has its own, or it is the label
COMPUTED = ("length", "truncation")
MOST_VALUES = 12  # of a column, the most frequent ones; all others together are one more slice
LONGEST = 60  # characters of a value's name; the middle of a longer value is left out
NO_VALUE = "(none)"
RESERVED = re.compile(r"\(none\)|[\d,]+ other values?")  # the names of rows without a value, and of the rest


def slice_columns(names: Iterable[str]) -> list[str]:
    """Return the columns of rows.parquet by which rows are sliced."""
    return [name for name in names if name not in NOT_SLICED]


def cut_slices(
    columns: Mapping[str, pa.ChunkedArray], *, tokens: Ints | None = None, tokens_cut: Ints | None = None
) -> Slices:
    """Return the slices of the rows; a column with only one value has none.

    Args:
        columns: Columns of rows.parquet, named as there; the rows without a value are a slice too. Each row is in one
            slice of each column. Different values have different names, even where they look alike.
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
        if shown in COMPUTED or shown.isdecimal():  # a number: the file has no header
            shown = f"column {shown}"
        while shown in parts:
            shown = f"column {shown}"
        parts[shown] = _values(column)
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
        (f"{low + 1} to {high} tokens" if low + 1 < high else counted(high, "token")): quarter == number
        for number, (low, high) in enumerate(itertools.pairwise(bounds))
    }


def _values(column: pa.ChunkedArray) -> dict[str, Mask]:
    """The rows of each of the most frequent values, and those of all other values."""
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    values: list[str | None] = [*encoded.dictionary.to_pylist(), None]
    codes = pc.fill_null(encoded.indices, len(values) - 1).to_numpy()
    counts = np.bincount(codes, minlength=len(values))
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda code: (-counts[code], values[code] or ""))
    frequent, rare = order[:MOST_VALUES], order[MOST_VALUES:]
    names = _names([values[code] for code in frequent])
    masks = {name: codes == code for name, code in zip(names, frequent, strict=True)}
    if rare:
        masks[f"{len(rare):,} other value{'s' if len(rare) > 1 else ''}"] = np.isin(codes, rare)
    return masks


def _names(values: Sequence[str | None]) -> list[str]:
    """Return what each value is called, by itself alone unless two look alike: those have a part of their hash, too."""
    names = [_name(value) for value in values]
    while True:
        looks = [" ".join(visible(name).split()) for name in names]  # as a page and a terminal show them
        times = Counter(looks)
        if len(times) == len(names):
            return names
        names = [
            name if times[look] == 1 or value is None else f"{name} #{_digest(value)}"
            for name, look, value in zip(names, looks, values, strict=True)
        ]


def _name(value: str | None) -> str:
    if value is None:
        return NO_VALUE
    if len(value) > LONGEST:
        tail = (LONGEST - 1) // 2
        value = f"{value[: LONGEST - 1 - tail]}…{value[-tail:]}"
    return f"“{value}”" if RESERVED.fullmatch(" ".join(visible(value).split())) else value


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()[:12]
