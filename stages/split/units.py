"""Which rows belong together and so must stand in one split: equal texts, and groups."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

RANK = {"test": 0, "val": 1}  # of equal texts, the one that is measured stays


def join_rows(keys: Sequence[NDArray[np.int64]], *, rows: int) -> NDArray[np.int64]:
    """Number the units: rows that share a value of any key, directly or through others, are one.

    Args:
        keys: What may join rows, each (rows,); a negative number joins nothing.
        rows: How many rows there are.

    Returns:
        Unit of each row, from 0; shape (rows,).
    """
    if not keys:
        return np.arange(rows)
    nodes = rows
    links: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for key in keys:
        joined = np.flatnonzero(key >= 0)
        links.append((joined, key[joined] + nodes))  # each value is a node of its own, linked with its rows
        nodes += int(key.max(initial=-1)) + 1
    starts, ends = (np.concatenate(side) for side in zip(*links, strict=True))
    graph = coo_array((np.ones(len(starts), dtype=np.int8), (starts, ends)), shape=(nodes, nodes))
    units = connected_components(graph, directed=False)[1][:rows]
    return np.unique(units, return_inverse=True)[1].astype(np.int64)


def first_of_each(text_key: NDArray[np.int64], split: Sequence[str | None]) -> NDArray[np.bool_]:
    """Mark one row of each text: of test's rows before val's before the others', and the first of those.

    Args:
        text_key: Equal for equal texts, (rows,).
        split: Official split of each row, if it has one.

    Returns:
        Whether the row stays; shape (rows,).
    """
    rank = np.array([RANK.get(name or "", 2) for name in split], dtype=np.int64)
    order = np.lexsort((np.arange(len(text_key)), rank))
    first = order[np.unique(text_key[order], return_index=True)[1]]
    stays = np.zeros(len(text_key), dtype=np.bool_)
    stays[first] = True
    return stays
