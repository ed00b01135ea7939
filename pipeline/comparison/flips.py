"""The rows that the change fixed and those that it broke, by label and by slice.

What that means is said by the kind of target: a class is right or wrong, a number is closer or farther.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.comparison.paired_rows import PairedRows
from stages.metrics.slices import cut_slices, slice_columns
from stages.row_labels import has_label

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class FlippedRow:
    """A row that one of the two models predicts better.

    Attributes:
        id: The row's id.
        label: Its label.
        base: The label that base predicts.
        head: The label that head predicts.
        gain: Change in the probability of the row's label, head minus base (-1 to 1); of a number, by how much it is
            closer; of a set, how many labels fewer are wrong.
        text: The row's text; None where it may not be shown or is not available.
    """

    id: str
    label: str
    base: str
    head: str
    gain: float
    text: str | None = None


@dataclass(frozen=True)
class FlipCount:
    """Fixed and broken rows of a class, a range of numbers or a slice."""

    name: str
    rows: int
    fixed: int
    broken: int


@dataclass(frozen=True)
class FlipNames:
    """What is shown for the fields of `Flips`; `gain` says what the listed rows have most of."""

    fixed: str
    broken: str
    wrong: str
    label: str
    gain: str


@dataclass(frozen=True)
class Flips:
    """What changed between the predictions of base's and of head's champion.

    Attributes:
        fixed: Number of rows that base predicts wrong and head right; of numbers: that head predicts closer; of
            sets of labels: with fewer wrong labels.
        broken: Number of rows that base predicts right and head wrong; of numbers: that head predicts farther; of
            sets of labels: with more wrong labels.
        wrong: Number of rows that both predict wrong; of numbers: as far as before; of sets: with as many
            wrong labels.
        classes: By label; those with the most flips first.
        slices: By length, group and further columns; those with the most flips first.
        fixed_rows: The fixed rows with the largest gain.
        broken_rows: The broken rows with the largest loss.
        names: What they are called.
    """

    fixed: int
    broken: int
    wrong: int
    classes: list[FlipCount]
    slices: list[FlipCount]
    fixed_rows: list[FlippedRow]
    broken_rows: list[FlippedRow]
    names: FlipNames


def largest(gains: NDArray[np.floating], mask: Mask, most: int) -> list[int]:
    """Return the rows of a mask with the largest gains above 0, by position; `gains` of shape (rows,)."""
    rows = np.flatnonzero(mask & (gains > 0))
    listed: list[int] = rows[np.argsort(-gains[rows], kind="stable")][:most].tolist()
    return listed


def count_flips(
    pairs: PairedRows, labels: NDArray[Any], rows: pa.Table | None, fixed: Mask, broken: Mask
) -> tuple[list[FlipCount], list[FlipCount]]:
    """Return how many rows were fixed and broken, by label and by slice; those with the most flips first.

    Args:
        pairs: The rows that both sides have.
        labels: Index into the target's labels of each, (rows,); or flags that say which it has, (rows, num_labels).
        rows: Head's data set, for slices; None where it is not available.
        fixed: Which were fixed; shape (rows,).
        broken: Which were broken; shape (rows,).
    """
    of_labels = [(name, has_label(labels, index)) for index, name in enumerate(pairs.target.labels)]
    slices = _slices(_align(rows, pairs.ids), pairs.head.tokens)
    return _count(of_labels, fixed, broken), _count(slices, fixed, broken)


def shown_texts(
    pairs: PairedRows, rows: pa.Table | None, order: Sequence[int], *, show_text: bool
) -> Sequence[str | None]:
    """Return the texts of some rows by position; None for each where they may not be shown or are not available."""
    table = _align(rows, pairs.ids) if show_text else None
    if table is None:
        return [None] * len(order)
    shown = table.take(pa.array(order, pa.int64()))
    others = shown["text_pair"].to_pylist() if "text_pair" in table.column_names else [None] * len(shown)
    return [f"{text} / {pair}" if pair else text for text, pair in zip(shown["text"].to_pylist(), others, strict=True)]


def _count(masks: Iterable[tuple[str, Mask]], fixed: Mask, broken: Mask) -> list[FlipCount]:
    counts = [
        FlipCount(name, int(mask.sum()), int((mask & fixed).sum()), int((mask & broken).sum())) for name, mask in masks
    ]
    return sorted((count for count in counts if count.rows), key=lambda count: -(count.fixed + count.broken))


def _align(rows: pa.Table | None, ids: pa.Array) -> pa.Table | None:
    """The data set's rows in the order of `ids`; None where it lacks one of them."""
    if rows is None:
        return None
    positions = pc.index_in(ids, value_set=rows["id"])
    return rows.take(positions) if not positions.null_count else None


def _slices(table: pa.Table | None, tokens: NDArray[np.int64] | None) -> list[tuple[str, Mask]]:
    columns = {} if table is None else {name: table[name] for name in slice_columns(table.column_names)}
    return [(f"{column} {value}", mask) for (column, value), mask in cut_slices(columns, tokens=tokens).items()]
