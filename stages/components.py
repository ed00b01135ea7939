"""Connected components of rows: rows that share a text or a group are kept in one split and count as one unit."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stages.tokens import read_column

Ints = NDArray[np.int64]
RANK = {"test": 0, "val": 1}  # others: 2


def connect_rows(group: Ints, text_key: Ints, cluster: Ints, *, duplicates: str) -> Ints:
    """Return the component of each row, by its group and, where duplicates are kept together, by its text.

    Args:
        group: Number of the row's group, -1 for none; shape (rows,).
        text_key: Equal for equal texts; shape (rows,).
        cluster: Equal for nearly equal texts, -1 for a text that is like no other; shape (rows,).
        duplicates: As `split.duplicates`: with `keep`, equal texts are rows like others.

    Returns:
        Number of the component, from 0; shape (rows,).
    """
    texts = [] if duplicates == "keep" else [np.unique(text_key, return_inverse=True)[1].astype(np.int64), cluster]
    return join_rows([group, *texts], rows=len(group))


def first_of_each(text_key: Ints, split: Sequence[str | None]) -> NDArray[np.bool_]:
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


def read_components(folder: Path, positions: Ints, *, duplicates: str) -> Ints:
    """Return the component of some rows of data/tokenize/tokens, by what they share with each other; shape (rows,)."""
    columns = {name: read_column(folder, name).take(positions) for name in ("group", "text_key", "cluster")}
    group = columns["group"].combine_chunks().dictionary_encode().indices
    return connect_rows(
        group.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64),
        columns["text_key"].to_numpy(),
        columns["cluster"].fill_null(-1).to_numpy(),
        duplicates=duplicates,
    )


def join_rows(keys: Sequence[Ints], *, rows: int) -> Ints:
    """Return the component of each row; rows that share a value, directly or through other rows, have the same.

    Args:
        keys: One or more columns of values that join rows, each (rows,); a negative value joins nothing.
        rows: Number of rows.

    Returns:
        Number of the component, from 0; shape (rows,).
    """
    nodes = rows
    links: list[tuple[Ints, Ints]] = []
    for key in keys:
        joined = np.flatnonzero(key >= 0)
        links.append((joined, key[joined] + nodes))  # each value is a node too, linked with its rows
        nodes += int(key.max(initial=-1)) + 1
    starts, ends = (np.concatenate(side) for side in zip(*links, strict=True))
    graph = coo_array((np.ones(len(starts), dtype=np.int8), (starts, ends)), shape=(nodes, nodes))
    component = connected_components(graph, directed=False)[1][:rows]
    return np.unique(component, return_inverse=True)[1].astype(np.int64)
