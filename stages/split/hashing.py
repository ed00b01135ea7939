"""Assign rows by a hash of what they say: rows that come later never move one that is there."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def carve_by_hash(content: NDArray[np.int64], *, shares: Mapping[str, float], seed: int) -> NDArray[np.int64]:
    """Assign each row to the rest (0) or to one of the splits to be carved (1, 2, ... in the order of `shares`).

    Args:
        content: Hash of each row's text or group, (rows,).
        shares: Share (0 to 1) per split to be carved; met on average.
        seed: Another seed is another division (>= 0).

    Returns:
        Part of each row; shape (rows,).

    Source:
        The mixing is the finalizer of SplitMix64 (Steele, Lea, Flood 2014).
    """
    mixed = content.astype(np.uint64) + np.uint64((seed * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    place = (mixed >> np.uint64(11)) / 2.0**53  # (rows,), evenly spread over 0 to 1
    part = np.zeros(len(content), dtype=np.int64)
    start = 0.0
    for number, share in enumerate(shares.values(), start=1):
        part[(place >= start) & (place < start + share)] = number
        start += share
    return part


def leave_out_straddlers(part: NDArray[np.int64], unit: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the rows that stay when units that fell into several parts keep the rows of one of them.

    A row of test stays before one of val, and that before one of train; so no row moves, and what leaks is left out.

    Args:
        part: 0 for train, and 1, 2, ... for what is carved, those before later ones, (rows,).
        unit: Rows of one unit must not stand in two parts, (rows,).

    Returns:
        Whether the row stays; shape (rows,).
    """
    rank = np.where(part == 0, part.max(initial=0) + 1, part)
    best = np.full(int(unit.max(initial=-1)) + 1, rank.max(initial=0))
    np.minimum.at(best, unit, rank)
    stays: NDArray[np.bool_] = rank == best[unit]
    return stays
