"""Carve splits out of rows so that every class has its share of each, without tearing a unit apart."""

from collections.abc import Mapping
from math import ceil

import numpy as np
from numpy.typing import NDArray


def carve(
    label: NDArray[np.int64], unit: NDArray[np.int64], *, shares: Mapping[str, float], seed: int
) -> NDArray[np.int64]:
    """Assign each row to the rest (0) or to one of the splits to be carved (1, 2, ... in the order of `shares`).

    Single rows meet the counts exactly; units of several rows go, largest first, where they disturb the counts of
    their classes least, before the single rows fill what is open.

    Args:
        label: Label index, (rows,).
        unit: Rows of one unit never part, (rows,).
        shares: Share of the rows (0 to 1) per split to be carved.
        seed: Of the shuffle (>= 0).

    Returns:
        Part of each row; shape (rows,).
    """
    rows, num_labels = len(label), int(label.max(initial=-1)) + 1
    per_label = np.bincount(label, minlength=num_labels)
    targets = np.zeros((len(shares) + 1, num_labels), dtype=np.int64)
    for number, share in enumerate(shares.values(), start=1):
        targets[number] = apportion(per_label, ceil(round(share * rows, 6)), least=1)
    targets[0] = per_label - targets.sum(axis=0)
    shuffled = np.random.default_rng(seed).permutation(rows)
    unit_rows = np.bincount(unit)
    part = np.zeros(rows, dtype=np.int64)
    together = shuffled[unit_rows[unit[shuffled]] > 1]
    open_counts = _place_units(part, label, unit, together, targets)
    alone = shuffled[unit_rows[unit[shuffled]] == 1]
    for index in range(num_labels):
        candidates, start = alone[label[alone] == index], 0
        for number in range(1, len(targets)):
            stop = start + max(int(open_counts[number, index]), 0)
            part[candidates[start:stop]] = number
            start = stop
    return part


def apportion(per_label: NDArray[np.int64], total: int, *, least: int) -> NDArray[np.int64]:
    """Divide `total` among the classes in proportion to their rows, by largest remainder.

    Args:
        per_label: Rows of each class, (labels,).
        total: Rows to be given out.
        least: Rows that each class gets at least, where it has twice as many.

    Returns:
        Rows per class; shape (labels,); they add up to `total` but for `least`.
    """
    exact = per_label * (total / max(int(per_label.sum()), 1))
    whole = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[: total - int(whole.sum())]] += 1
    return np.where((whole < least) & (per_label >= 2 * least) & (total > 0), least, whole)


def _place_units(
    part: NDArray[np.int64],
    label: NDArray[np.int64],
    unit: NDArray[np.int64],
    rows: NDArray[np.int64],
    targets: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Assign the units that `rows` make up in `part`; return what each part is still open for, (parts, labels)."""
    open_counts = targets.astype(np.float64)
    weight = 1 / np.maximum(targets, 0.5)  # a class with no target in a part makes it unattractive, not impossible
    order = np.argsort(unit[rows], kind="stable")
    members = np.split(rows[order], np.flatnonzero(np.diff(unit[rows][order])) + 1) if len(rows) else []
    place = {int(row): number for number, row in enumerate(rows)}
    members.sort(key=lambda member: (-len(member), place[int(member[0])]))  # largest first, else as shuffled
    for member in members:
        index, count = np.unique(label[member], return_counts=True)
        # growth of the squared distance to the targets, relative to them, if the unit went to that part
        growth = (count * (count - 2 * open_counts[:, index]) * weight[:, index]).sum(axis=1)
        best = int(np.argmin(growth))
        part[member] = best
        open_counts[best, index] -= count
    return open_counts
