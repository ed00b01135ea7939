"""Assign rows to splits so that each class has its share of every split, and components stay whole."""

from collections.abc import Mapping
from math import ceil

import numpy as np
from numpy.typing import NDArray


def stratify(
    label: NDArray[np.int64], component: NDArray[np.int64], *, shares: Mapping[str, float], seed: int
) -> NDArray[np.int64]:
    """Return the split of each row: 0 for train, or 1, 2, ... for the splits in `shares`, in their order.

    Components of several rows are placed first, the largest before others, each in the split where it disturbs the
    counts of its classes least. Single rows then fill the counts exactly.

    Args:
        label: Label index, (rows,).
        component: Rows of one component get one split, (rows,).
        shares: Share of the rows (0 to 1) by split.
        seed: Of the shuffle (>= 0).

    Returns:
        Number of the split; shape (rows,).
    """
    rows, num_labels = len(label), int(label.max(initial=-1)) + 1
    per_label = np.bincount(label, minlength=num_labels)
    targets = np.zeros((len(shares) + 1, num_labels), dtype=np.int64)
    for number, share in enumerate(shares.values(), start=1):
        targets[number] = apportion(per_label, ceil(round(share * rows, 6)), least=1)
    targets[0] = per_label - targets.sum(axis=0)
    shuffled = np.random.default_rng(seed).permutation(rows)
    component_rows = np.bincount(component)[component[shuffled]]  # rows of each row's component, (rows,)
    assigned = np.zeros(rows, dtype=np.int64)
    missing = _place_components(assigned, label, component, shuffled[component_rows > 1], targets)
    single = shuffled[component_rows == 1]
    for index in range(num_labels):
        candidates, start = single[label[single] == index], 0
        for number in range(1, len(targets)):
            stop = start + max(int(missing[number, index]), 0)
            assigned[candidates[start:stop]] = number
            start = stop
    spread_classes(assigned, component, of_parts(component, label), shuffled, splits=len(targets))
    return assigned


def apportion(per_label: NDArray[np.int64], total: int, *, least: int) -> NDArray[np.int64]:
    """Divide `total` among the classes in proportion to their rows, by largest remainder.

    Args:
        per_label: Rows of each class, (labels,).
        total: Rows to divide.
        least: Rows that a class gets at least, where it has twice as many.

    Returns:
        Rows per class; shape (labels,). Their sum is `total`, or more because of `least`.
    """
    exact = per_label * (total / max(int(per_label.sum()), 1))
    whole = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[: total - int(whole.sum())]] += 1
    return np.where((whole < least) & (per_label >= 2 * least) & (total > 0), least, whole)


def of_parts(component: NDArray[np.int64], label: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which components have rows of which labels: the component and the label of each such pair, (pairs,)."""
    num_labels = int(label.max(initial=-1)) + 1
    parts = np.unique(component * num_labels + label)
    return parts // max(num_labels, 1), parts % max(num_labels, 1)


def spread_classes(
    assigned: NDArray[np.int64],
    component: NDArray[np.int64],
    parts: tuple[NDArray[np.int64], NDArray[np.int64]],
    shuffled: NDArray[np.int64],
    *,
    splits: int,
) -> None:
    """Move components so that each class is in each split, where a class has components enough for that.

    The smallest component of a class goes first; none is taken from a split that has no other one of its classes.

    Args:
        assigned: Split of each row, which is changed; shape (rows,).
        component: Rows of one component get one split, (rows,).
        parts: As `of_parts` returns them; a component, or a row, may have several classes.
        shuffled: The rows in a random order.
        splits: Number of splits.
    """
    of_component, of_label = parts
    num_labels = int(of_label.max(initial=-1)) + 1
    split_of = np.zeros(int(component.max(initial=-1)) + 1, dtype=np.int64)
    split_of[component] = assigned
    held = np.zeros((splits, num_labels), dtype=np.int64)  # components of each class in each split
    np.add.at(held, (split_of[of_component], of_label), 1)
    rows, rank = np.bincount(component), np.empty(len(split_of), dtype=np.int64)
    rank[component[shuffled[::-1]]] = np.arange(len(shuffled))[::-1]
    for number, index in np.argwhere(held == 0).tolist():
        candidates = of_component[of_label == index]
        for candidate in candidates[np.lexsort((rank[candidates], rows[candidates]))].tolist():
            classes, old = of_label[of_component == candidate], split_of[candidate]
            if (held[old, classes] > 1).all():
                held[old, classes] -= 1
                held[number, classes] += 1
                split_of[candidate] = number
                break
    assigned[:] = split_of[component]


def _place_components(
    assigned: NDArray[np.int64],
    label: NDArray[np.int64],
    component: NDArray[np.int64],
    rows: NDArray[np.int64],
    targets: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Assign the components of `rows`; return the rows that each split still misses of each class, (splits, labels)."""
    missing = targets.astype(np.float64)
    weight = 1 / np.maximum(targets, 0.5)  # a split that should get no row of a class is avoided, but possible
    order = np.argsort(component[rows], kind="stable")
    components = np.split(rows[order], np.flatnonzero(np.diff(component[rows][order])) + 1) if len(rows) else []
    shuffled = {int(row): number for number, row in enumerate(rows)}
    components.sort(key=lambda members: (-len(members), shuffled[int(members[0])]))  # largest first, then as shuffled
    for members in components:
        index, count = np.unique(label[members], return_counts=True)
        # growth of the squared distance to the targets, relative to them, by the split that would get the component
        growth = (count * (count - 2 * missing[:, index]) * weight[:, index]).sum(axis=1)
        best = int(np.argmin(growth))
        assigned[members] = best
        missing[best, index] -= count
    return missing
