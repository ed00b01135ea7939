"""Which rows the change fixed and which it broke, by class and by slice."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.comparison.pairing import Pairs

STANDARD = ("id", "text", "text_pair", "label", "split", "text_key", "cluster")  # columns of rows.parquet: no slices
MOST_VALUES = 12  # a column with more values is no slice
QUARTERS = ("shortest quarter", "second quarter", "third quarter", "longest quarter")


@dataclass(frozen=True)
class Example:
    """A row that one of the two champions has wrong.

    Attributes:
        gain: Change in the probability of the given label (-1 to 1).
        text: None where texts may not be shown or can't be had.
    """

    id: str
    label: str
    base: str
    head: str
    gain: float
    text: str | None = None


@dataclass(frozen=True)
class Group:
    """Fixed and broken rows of a class or a slice."""

    name: str
    rows: int
    fixed: int
    broken: int


@dataclass(frozen=True)
class Moved:
    """What moved between base's and head's champion.

    Attributes:
        fixed: Rows that base has wrong and head right.
        broken: Rows that base has right and head wrong.
        wrong: Rows that both have wrong.
        classes: By given label.
        slices: By length of the text, by group, by further columns; those with most movement first.
        best: The fixed rows that tell most: largest gain in the probability of the given label first.
        worst: The broken rows that tell most.
    """

    fixed: int
    broken: int
    wrong: int
    classes: list[Group]
    slices: list[Group]
    best: list[Example]
    worst: list[Example]


def describe(pairs: Pairs, champions: tuple[int, int], rows: pa.Table | None, *, show_text: bool, most: int) -> Moved:
    """Return what moved.

    Args:
        pairs: The rows that both sides have.
        champions: The seeds of base and of head whose predictions are compared.
        rows: Head's data set, for slices and texts; None where it can't be had.
        show_text: May texts be shown?
        most: Examples of each kind.
    """
    labels = pairs.labels
    before, after = pairs.base.probabilities[champions[0]], pairs.head.probabilities[champions[1]]
    preds = before.argmax(1), after.argmax(1)
    fixed, broken = (preds[0] != labels) & (preds[1] == labels), (preds[0] == labels) & (preds[1] != labels)
    rank = np.arange(len(labels))
    gain = after[rank, labels] - before[rank, labels]
    table = _align(rows, pairs.ids)

    def examples(mask: NDArray[np.bool_], sign: int) -> list[Example]:
        chosen = np.flatnonzero(mask)
        chosen = chosen[np.argsort(-sign * gain[chosen], kind="stable")][:most]
        texts = _texts(table, chosen) if show_text and table is not None else [None] * len(chosen)
        return [
            Example(
                id=pairs.ids[int(row)].as_py(),
                label=pairs.names[labels[row]],
                base=pairs.names[preds[0][row]],
                head=pairs.names[preds[1][row]],
                gain=float(gain[row]),
                text=text,
            )
            for row, text in zip(chosen, texts, strict=True)
        ]

    classes = {name: labels == index for index, name in enumerate(pairs.names)}
    return Moved(
        fixed=int(fixed.sum()),
        broken=int(broken.sum()),
        wrong=int(((preds[0] != labels) & (preds[1] != labels)).sum()),
        classes=_groups(classes, fixed, broken),
        slices=_groups(_slices(table), fixed, broken) if table is not None else [],
        best=examples(fixed, 1),
        worst=examples(broken, -1),
    )


def _groups(masks: Mapping[str, Any], fixed: Any, broken: Any) -> list[Group]:
    groups = [
        Group(name, int(mask.sum()), int((mask & fixed).sum()), int((mask & broken).sum()))
        for name, mask in masks.items()
    ]
    return sorted((group for group in groups if group.rows), key=lambda group: -(group.fixed + group.broken))


def _align(rows: pa.Table | None, ids: pa.Array) -> pa.Table | None:
    if rows is None:
        return None
    at = pc.index_in(ids, value_set=rows["id"])
    return rows.take(at) if not at.null_count else None


def _slices(table: pa.Table) -> dict[str, NDArray[np.bool_]]:
    """Masks by name: quarters by length, and each value of every column with few values."""
    lengths = pc.utf8_length(table["text"]).to_numpy()
    quarter = np.searchsorted(np.quantile(lengths, [0.25, 0.5, 0.75]), lengths, side="left")
    masks = {name: quarter == index for index, name in enumerate(QUARTERS)}
    for column in table.column_names:
        if column in STANDARD or table[column].null_count == len(table):
            continue
        encoded = pc.fill_null(table[column].cast(pa.string()), "(none)").combine_chunks().dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.chunk(0)
        if 1 < len(encoded.dictionary) <= MOST_VALUES:
            codes = encoded.indices.to_numpy()
            for index, value in enumerate(encoded.dictionary.to_pylist()):
                masks[f"{column.removeprefix('slice:')} {value}"] = codes == index
    return masks


def _texts(table: pa.Table, rows: Any) -> list[str | None]:
    chosen = table.take(pa.array(rows))
    pairs = chosen["text_pair"].to_pylist() if "text_pair" in table.column_names else [None] * len(chosen)
    return [f"{text} / {pair}" if pair else text for text, pair in zip(chosen["text"].to_pylist(), pairs, strict=True)]
