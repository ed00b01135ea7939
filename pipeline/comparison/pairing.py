"""Pairs the rows of two revisions by id, so that both are measured on the same rows."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.comparison.revision import Revision
from pipeline.comparison.seed_predictions import Ints, SeedPredictions
from stages.errors import PipelineError


@dataclass(frozen=True)
class PairedRows:
    """The rows of one split that both sides predicted, in head's order.

    Attributes:
        label_names: Names of the classes.
        labels: Label of each row, head's where the two sides differ; shape (rows,).
        base: Base's predictions for these rows.
        head: Head's predictions for these rows.
        split_rows: Rows of the whole split in base and in head.
        relabelled: Number of rows whose label differs.
        ordered: Whether head's classes are in a row.
    """

    label_names: list[str]
    labels: Ints
    base: SeedPredictions
    head: SeedPredictions
    split_rows: tuple[int, int]
    relabelled: int
    ordered: bool = False

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


def pair_split(base: Revision, head: Revision, split: str) -> PairedRows | None:
    """Pair the rows of a split by id; None where the two sides have no row in common.

    Raises:
        PipelineError: The label sets differ, so the two solve different tasks.
        UnavailableError: Predictions or label names are neither in the cache nor in a remote.
    """
    head_classes = head.classes()
    base_names, head_names = base.classes().labels, head_classes.labels
    if set(base_names) != set(head_names):
        extra = ((base, set(base_names) - set(head_names)), (head, set(head_names) - set(base_names)))
        only = "; ".join(f"only {side.name} has {', '.join(sorted(names)[:5])}" for side, names in extra if names)
        raise PipelineError(
            f"The label sets differ ({only}): metrics of different tasks can't be compared. "
            "Compare with a revision that has the same labels."
        )
    base_predictions = base.predictions[split].reorder_labels(base_names, head_names)
    pairs = pair_by_id(base_predictions, head.predictions[split], head_names)
    return pairs and replace(pairs, ordered=head_classes.in_order)


def pair_by_id(base: SeedPredictions, head: SeedPredictions, label_names: list[str]) -> PairedRows | None:
    """Pair predictions whose labels are numbered alike; None where no id is in both."""
    base_rows = pc.index_in(head.ids, value_set=base.ids)
    head_rows = np.flatnonzero(base_rows.is_valid().to_numpy(zero_copy_only=False))
    if not len(head_rows):
        return None
    base_common = base.take(base_rows.drop_null().to_numpy().astype(np.int64))
    head_common = head.take(head_rows)
    return PairedRows(
        label_names=label_names,
        labels=head_common.labels,
        base=base_common,
        head=head_common,
        split_rows=(len(base.labels), len(head.labels)),
        relabelled=int((base_common.labels != head_common.labels).sum()),
    )
