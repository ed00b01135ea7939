"""How much of what is measured stands in another split too."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.errors import DataError
from stages.split.facts import RowFacts

BEFORE = {"val": ("train",), "test": ("train", "val")}  # where a row of the split must not stand as well


def find_leak(positions: Mapping[str, NDArray[np.int64]], facts: RowFacts) -> dict[str, Any]:
    """Count the rows of val that stand in train too, and those of test that stand in train or val.

    Args:
        positions: Rows of each split.
        facts: Of all rows.

    Returns:
        Rows by kind (the same text, nearly the same, the same group) and split, and the share of both splits' rows
        (0 to 1) that leak in any way.
    """
    keys = {"same_text": facts.text_key, "nearly_same_text": facts.cluster, "same_group": facts.group}
    counts: dict[str, Any] = {name: {} for name in keys}
    leaking = 0
    for split, others in BEFORE.items():
        rows, elsewhere = positions[split], np.concatenate([positions[name] for name in others])
        found = np.zeros(len(rows), dtype=np.bool_)
        for name, key in keys.items():
            has_key = np.ones(len(rows), dtype=np.bool_) if name == "same_text" else key[rows] >= 0
            leaks = has_key & np.isin(key[rows], key[elsewhere])
            counts[name][split] = int(leaks.sum())
            found |= leaks
        leaking += int(found.sum())
    measured = sum(len(positions[split]) for split in BEFORE)
    return {**counts, "share": round(leaking / measured, 6) if measured else 0.0}


def require_no_leak(leak: Mapping[str, Any], *, max_leak: float) -> None:
    """Stop where too much of what is measured stands in another split too.

    Args:
        leak: What `find_leak` found.
        max_leak: Share of val's and test's rows (0 to 1) that may.

    Raises:
        DataError: It is more than that.
    """
    if leak["share"] > max_leak:
        kinds = "; ".join(
            f"{name.replace('_', ' ')}: {counts['val']} rows of val, {counts['test']} of test"
            for name, counts in leak.items()
            if name != "share" and sum(counts.values())
        )
        raise DataError(
            f"{leak['share']:.2%} of val and test stand in another split too ({kinds}), "
            f"and split.max_leak is {max_leak}. Set split.duplicates: drop, or raise split.max_leak."
        )
