"""Which row of equal texts is kept where duplicates are dropped."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RANK = {"test": 0, "val": 1}  # others: 2


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
