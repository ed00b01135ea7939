"""Assign rows to splits by a hash of their content, so that added rows never move the rows before them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def assign_by_hash(content: NDArray[np.int64], *, shares: Mapping[str, float], seed: int) -> NDArray[np.int64]:
    """Return the split of each row: 0 for train, or 1, 2, ... for the splits in `shares`, in their order.

    Args:
        content: Hash of each row's text or group, (rows,).
        shares: Share of the rows (0 to 1) by split; met on average.
        seed: Of the assignment (>= 0).

    Returns:
        Number of the split; shape (rows,).

    """
    uniform = uniform_of(content, seed=seed)
    assigned = np.zeros(len(content), dtype=np.int64)
    start = 0.0
    for number, share in enumerate(shares.values(), start=1):
        assigned[(uniform >= start) & (uniform < start + share)] = number
        start += share
    return assigned


def uniform_of(content: NDArray[np.int64], *, seed: int) -> NDArray[np.float64]:
    """Return numbers that are uniform over 0 to 1 (excluded) and depend on the content and the seed alone; (rows,).

    Source:
        The hash is mixed by the finalizer of SplitMix64 (Steele, Lea, Flood 2014).
    """
    mixed = content.astype(np.uint64) + np.uint64((seed * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return np.asarray((mixed >> np.uint64(11)) / 2.0**53)


def keep_one_split(assigned: NDArray[np.int64], component: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the rows that are kept when each component keeps only the rows of one split.

    Rows of test are kept before rows of val, and these before rows of train. No row moves to another split; rows that
    would leak are left out.

    Args:
        assigned: Split of each row: 0 for train, and 1, 2, ... for others, kept in this order, (rows,).
        component: Rows of one component must not be in two splits, (rows,).

    Returns:
        Whether the row is kept; shape (rows,).
    """
    rank = np.where(assigned == 0, assigned.max(initial=0) + 1, assigned)
    best = np.full(int(component.max(initial=-1)) + 1, rank.max(initial=0))
    np.minimum.at(best, component, rank)
    kept: NDArray[np.bool_] = rank == best[component]
    return kept
