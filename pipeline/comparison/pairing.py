"""The test rows that both sides have, row by row: who predicted what."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.comparison.revision import Predictions, Revision
from stages.errors import PipelineError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """The rows of one split that both sides predicted, in head's order.

    Attributes:
        names: Names of the classes.
        ids: Ids of the rows.
        labels: Given labels, head's where the two sides differ; shape (rows,).
        base: Base's predictions for these rows.
        head: Head's.
        rows: Rows of the split in base and in head.
        relabelled: Rows whose given label differs.
    """

    names: list[str]
    ids: pa.Array
    labels: Ints
    base: Predictions
    head: Predictions
    rows: tuple[int, int]
    relabelled: int

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def same_rows(self) -> bool:
        return self.rows == (len(self), len(self))

    @property
    def identical(self) -> bool:
        """Did both sides say the same of every row, with as many seeds?"""
        sides = [list(side.probabilities.values()) for side in (self.base, self.head)]
        return len(sides[0]) == len(sides[1]) and all(map(np.array_equal, *sides))


def pair(base: Revision, head: Revision, split: str) -> Pairs | None:
    """Pair the rows of a split by id; None where the sides have no row in common.

    Raises:
        PipelineError: The label sets differ, so that the two did different tasks.
        UnavailableError: Predictions or label names can't be had.
    """
    before, after = base.labels(), head.labels()
    if set(before) != set(after):
        only = [
            f"{side.name} alone has {', '.join(sorted(extra)[:5])}"
            for side, extra in ((base, set(before) - set(after)), (head, set(after) - set(before)))
            if extra
        ]
        raise PipelineError(
            f"The label sets differ ({'; '.join(only)}): metrics of different tasks can't be compared. "
            "Compare with a revision that has the same labels."
        )
    return join(reorder(base.predictions(split), before, after), head.predictions(split), after)


def join(base: Predictions, head: Predictions, names: list[str]) -> Pairs | None:
    """Pair predictions whose labels are in the same order; None where no id is common."""
    at = pc.index_in(head.ids, value_set=base.ids)
    kept = np.flatnonzero(at.is_valid().to_numpy(zero_copy_only=False))
    if not len(kept):
        return None
    old = at.drop_null().to_numpy().astype(np.int64)
    one, other = _take(base, old), _take(head, kept)
    return Pairs(
        names=names,
        ids=other.ids,
        labels=other.labels,
        base=one,
        head=other,
        rows=(len(base.labels), len(head.labels)),
        relabelled=int((one.labels != other.labels).sum()),
    )


def reorder(predictions: Predictions, names: list[str], wanted: list[str]) -> Predictions:
    """Bring labels and probabilities into the order `wanted` of the same names."""
    if names == wanted:
        return predictions
    order = np.array([names.index(name) for name in wanted])
    return Predictions(
        ids=predictions.ids,
        labels=np.argsort(order)[predictions.labels],
        probabilities={seed: one[:, order] for seed, one in predictions.probabilities.items()},
    )


def _take(predictions: Predictions, rows: Ints) -> Predictions:
    return Predictions(
        ids=predictions.ids.take(pa.array(rows)),
        labels=predictions.labels[rows],
        probabilities={seed: one[rows] for seed, one in predictions.probabilities.items()},
    )
