"""Connected components of rows: rows that share a text or a group must be in the same split."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

RANK = {"test": 0, "val": 1}  # others: 2


def join_rows(keys: Sequence[NDArray[np.int64]], *, rows: int) -> NDArray[np.int64]:
    """Return the component of each row; rows that share a value, directly or through other rows, have the same.

    Args:
        keys: One or more columns of values that join rows, each (rows,); a negative value joins nothing.
        rows: Number of rows.

    Returns:
        Number of the component, from 0; shape (rows,).
    """
    nodes = rows
    links: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for key in keys:
        joined = np.flatnonzero(key >= 0)
        links.append((joined, key[joined] + nodes))  # each value is a node too, linked with its rows
        nodes += int(key.max(initial=-1)) + 1
    starts, ends = (np.concatenate(side) for side in zip(*links, strict=True))
    graph = coo_array((np.ones(len(starts), dtype=np.int8), (starts, ends)), shape=(nodes, nodes))
    component = connected_components(graph, directed=False)[1][:rows]
    return np.unique(component, return_inverse=True)[1].astype(np.int64)


def first_of_each(text_key: NDArray[np.int64], split: Sequence[str | None]) -> NDArray[np.bool_]:
    """Mark the row of each text that is kept: the first row of test, else the first of val, else the first.

    Args:
        text_key: Equal for equal texts, (rows,).
        split: Official split of each row; None: it has none.

    Returns:
        Whether the row is kept; shape (rows,).
    """
    rank = np.array([RANK.get(name or "", 2) for name in split], dtype=np.int64)
    order = np.lexsort((np.arange(len(text_key)), rank))
    first = order[np.unique(text_key[order], return_index=True)[1]]
    kept = np.zeros(len(text_key), dtype=np.bool_)
    kept[first] = True
    return kept
