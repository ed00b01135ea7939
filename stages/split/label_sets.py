"""Assign rows with label sets to splits so that each label has its share of every split, and components stay whole.

Own code, because the kept library for it (`iterative-stratification`) divides single rows: it can't keep rows of one
group, or with one text, together. `benchmarks/label_sets.md` compares the two where every row is on its own.
"""

from collections.abc import Mapping
from math import ceil

import numpy as np
from numpy.typing import NDArray

from stages.split.stratify import spread_classes

DECIMALS = 9  # of what a split misses: smaller differences are rounding, and are ties


def stratify_sets(
    labels: NDArray[np.bool_], component: NDArray[np.int64], *, shares: Mapping[str, float], seed: int
) -> NDArray[np.int64]:
    """Return the split of each row: 0 for train, or 1, 2, ... for the splits in `shares`, in their order.

    The label with the fewest components left is divided first. Each of its components, the largest before others, goes
    to the split that misses most rows of the label, and of these to the one that misses most rows. To have no label
    counts as a label of its own.

    Args:
        labels: Which labels each row has, (rows, num_labels).
        component: Number of the component of each row, from 0; its rows get one split; (rows,).
        shares: Share of the rows (0 to 1) by split.
        seed: Of the shuffle (>= 0).

    Returns:
        Number of the split; shape (rows,).

    Source:
        Sechidis, Tsoumakas, Vlahavas, "On the stratification of multi-label data", ECML PKDD 2011, here of components.
    """
    rows = len(labels)
    columns = np.hstack([labels, ~labels.any(axis=1, keepdims=True)]).astype(np.int64)
    counts = np.zeros((int(component.max(initial=-1)) + 1, columns.shape[1]), dtype=np.int64)
    np.add.at(counts, component, columns)  # (components, num_labels + 1)
    sizes = np.bincount(component, minlength=len(counts))
    shuffled = np.random.default_rng(seed).permutation(rows)
    rank = np.empty(len(counts), dtype=np.int64)
    rank[component[shuffled[::-1]]] = np.arange(rows)[::-1]  # where a component's first row is in the shuffled order
    wanted = np.array([ceil(round(share * rows, 6)) for share in shares.values()], dtype=np.float64)
    wanted = np.concatenate([[rows - wanted.sum()], wanted]) / max(rows, 1)  # share of each split, train first
    split_of = _divide(counts, sizes, np.lexsort((rank, -sizes)), wanted)
    assigned = split_of[component]
    component_of, label_of = (index.astype(np.int64) for index in np.nonzero(counts))
    spread_classes(assigned, component, (component_of, label_of), shuffled, splits=len(wanted))
    return assigned


def _divide(
    counts: NDArray[np.int64], sizes: NDArray[np.int64], order: NDArray[np.int64], wanted: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The split of each component; shape (components,).

    Args:
        counts: Rows of each label in each component, (components, labels).
        sizes: Rows in each component, (components,).
        order: The components as they are placed, (components,).
        wanted: Share of each split (0 to 1), (splits,).
    """
    missing = wanted[:, None] * counts.sum(0)  # rows of each label, (splits, labels)
    missing_rows = wanted * sizes.sum()
    split_of = np.full(len(counts), -1, dtype=np.int64)
    left = (counts > 0).sum(0)  # components of each label that have no split yet
    while left.any():
        label = int(np.argmin(np.where(left > 0, left, left.max() + 1)))
        for unit in order[(counts[order, label] > 0) & (split_of[order] < 0)].tolist():
            misses = np.round(missing[:, label], DECIMALS)
            best = max(range(len(wanted)), key=lambda split: (misses[split], round(missing_rows[split], DECIMALS)))
            split_of[unit] = best
            missing[best] -= counts[unit]
            missing_rows[best] -= sizes[unit]
            left -= counts[unit] > 0
    return split_of
