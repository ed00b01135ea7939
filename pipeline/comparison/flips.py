"""The rows that the change fixed and those that it broke, by class and by slice."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.comparison.pairing import PairedRows
from stages.metrics.slices import cut_slices, slice_columns

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class FlippedRow:
    """A row that only one of the two models predicts right.

    Attributes:
        id: The row's id.
        label: Its label.
        base: The label that base predicts.
        head: The label that head predicts.
        gain: Change in the probability of the row's label, head minus base (-1 to 1).
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
    """Fixed and broken rows of a class or of a slice."""

    name: str
    rows: int
    fixed: int
    broken: int


@dataclass(frozen=True)
class Flips:
    """What changed between the predictions of base's and of head's champion.

    Attributes:
        fixed: Number of rows that base predicts wrong and head right.
        broken: Number of rows that base predicts right and head wrong.
        wrong: Number of rows that both predict wrong.
        classes: By label; those with the most flips first.
        slices: By length, group and further columns; those with the most flips first.
        fixed_rows: The fixed rows with the largest gain in the probability of their label. A row can be fixed without
            one, because another label lost more; it is not here.
        broken_rows: The broken rows with the largest loss; those without one are not here.
    """

    fixed: int
    broken: int
    wrong: int
    classes: list[FlipCount]
    slices: list[FlipCount]
    fixed_rows: list[FlippedRow]
    broken_rows: list[FlippedRow]


def find_flips(
    pairs: PairedRows, champions: tuple[int, int], rows: pa.Table | None, *, show_text: bool, most: int
) -> Flips:
    """Return which rows were fixed and which were broken.

    Args:
        pairs: The rows that both sides have.
        champions: The seed of base and that of head whose predictions are compared.
        rows: Head's data set, for slices and texts; None where it is not available.
        show_text: Whether texts may be shown.
        most: Number of fixed and of broken rows that are listed, at most.
    """
    labels = pairs.labels
    base, head = pairs.base.probabilities[champions[0]], pairs.head.probabilities[champions[1]]
    base_preds, head_preds = pairs.base.preds_of(champions[0]), pairs.head.preds_of(champions[1])
    base_right, head_right = base_preds == labels, head_preds == labels
    fixed, broken = ~base_right & head_right, base_right & ~head_right
    every_row = np.arange(len(labels))
    gains = head[every_row, labels] - base[every_row, labels]
    table = _align(rows, pairs.ids)

    def list_rows(order: NDArray[np.int64]) -> list[FlippedRow]:
        texts = _texts(table, order) if show_text and table is not None else [None] * len(order)
        return [
            FlippedRow(
                id=pairs.ids[row].as_py(),
                label=pairs.label_names[labels[row]],
                base=pairs.label_names[base_preds[row]],
                head=pairs.label_names[head_preds[row]],
                gain=float(gains[row]),
                text=text,
            )
            for row, text in zip(order.tolist(), texts, strict=True)
        ]

    classes = {name: labels == index for index, name in enumerate(pairs.label_names)}
    return Flips(
        fixed=int(fixed.sum()),
        broken=int(broken.sum()),
        wrong=int((~base_right & ~head_right).sum()),
        classes=_count(classes, fixed, broken),
        slices=_count(_slices(table, pairs.head.tokens), fixed, broken),
        fixed_rows=list_rows(_largest(-gains, fixed & (gains > 0), most)),
        broken_rows=list_rows(_largest(gains, broken & (gains < 0), most)),
    )


def _largest(losses: NDArray[np.floating], mask: Mask, most: int) -> NDArray[np.int64]:
    rows = np.flatnonzero(mask)
    return rows[np.argsort(losses[rows], kind="stable")][:most]


def _count(masks: Mapping[str, Mask], fixed: Mask, broken: Mask) -> list[FlipCount]:
    counts = [
        FlipCount(name, int(mask.sum()), int((mask & fixed).sum()), int((mask & broken).sum()))
        for name, mask in masks.items()
    ]
    return sorted((count for count in counts if count.rows), key=lambda count: -(count.fixed + count.broken))


def _align(rows: pa.Table | None, ids: pa.Array) -> pa.Table | None:
    """The data set's rows in the order of `ids`; None where it lacks one of them."""
    if rows is None:
        return None
    positions = pc.index_in(ids, value_set=rows["id"])
    return rows.take(positions) if not positions.null_count else None


def _slices(table: pa.Table | None, tokens: NDArray[np.int64] | None) -> dict[str, Mask]:
    columns = {} if table is None else {name: table[name] for name in slice_columns(table.column_names)}
    return {f"{column} {value}": mask for (column, value), mask in cut_slices(columns, tokens=tokens).items()}


def _texts(table: pa.Table, rows: NDArray[np.int64]) -> list[str | None]:
    shown = table.take(pa.array(rows))
    pairs = shown["text_pair"].to_pylist() if "text_pair" in table.column_names else [None] * len(shown)
    return [f"{text} / {pair}" if pair else text for text, pair in zip(shown["text"].to_pylist(), pairs, strict=True)]
