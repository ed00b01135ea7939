"""The rows of one split that two revisions have in common, paired by id."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.comparison.seed_predictions import Ints, Labels, SeedPredictions
from stages.targets.target import Target


@dataclass(frozen=True)
class PairedRows:
    """The rows of one split that both sides predicted, in head's order.

    Attributes:
        target: What the labels are, as head has it.
        labels: Label of each row, head's where the two sides differ; shape (rows,).
        base: Base's predictions for these rows.
        head: Head's predictions for these rows.
        split_rows: Rows of the whole split in base and in head.
        relabelled: Number of rows whose label differs.
    """

    target: Target
    labels: Labels
    base: SeedPredictions
    head: SeedPredictions
    split_rows: tuple[int, int]
    relabelled: int

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def ids(self) -> pa.Array:
        return self.head.ids

    @property
    def units(self) -> Ints | None:
        """Number of the unit of each row: rows that belong together are one; None where every row is a unit."""
        groups = self.base.groups if self.head.groups is None else self.head.groups
        if groups is None:
            return None
        names, units = np.unique(groups, return_inverse=True)
        return None if len(names) == len(groups) else units.astype(np.int64)

    @property
    def same_rows(self) -> bool:
        """Whether neither side has a row that the other lacks."""
        return self.split_rows == (len(self), len(self))

    @property
    def identical(self) -> bool:
        """Whether both sides have as many seeds and predict the same probabilities and labels for every row."""
        sides = [[*side.probabilities.values(), side.preds] for side in (self.base, self.head)]
        return len(sides[0]) == len(sides[1]) and all(map(np.array_equal, *sides))


def pair_by_id(base: SeedPredictions, head: SeedPredictions, target: Target) -> PairedRows | None:
    """Pair predictions whose labels are numbered alike; None where no id is in both."""
    base_rows = pc.index_in(head.ids, value_set=base.ids)
    head_rows = np.flatnonzero(base_rows.is_valid().to_numpy(zero_copy_only=False))
    if not len(head_rows):
        return None
    base_common = base.take(base_rows.drop_null().to_numpy().astype(np.int64))
    head_common = head.take(head_rows)
    return PairedRows(
        target=target,
        labels=head_common.labels,
        base=base_common,
        head=head_common,
        split_rows=(len(base.labels), len(head.labels)),
        relabelled=int(_differ(base_common.labels, head_common.labels).sum()),
    )


def _differ(base: Labels, head: Labels) -> NDArray[np.bool_]:
    """Whether the label of each row differs, or any of its labels; shape (rows,)."""
    differ = np.asarray(base != head)
    return differ if differ.ndim == 1 else np.asarray(differ.any(axis=1))
