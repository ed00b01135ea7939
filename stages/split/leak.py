"""Count the rows of val and test that are in another split too, and stop where they are too many."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.errors import DataError
from stages.split_inputs import SplitInputs

OTHERS = {"val": ("train",), "test": ("train", "val")}  # splits that a row of val or test must not be in too


def find_leak(positions: Mapping[str, NDArray[np.int64]], inputs: SplitInputs) -> dict[str, Any]:
    """Count the rows of val that are in train too, and the rows of test that are in train or val too.

    Args:
        positions: Rows of each split.
        inputs: Columns of all rows.

    Returns:
        Rows by kind (same text, nearly same text, same group) and split; and under `share` the share of the rows of
        val and test (0 to 1) that leak in any way.
    """
    keys = {"same_text": inputs.text_key, "nearly_same_text": inputs.cluster, "same_group": inputs.group}
    counts: dict[str, Any] = {name: {} for name in keys}
    leaking = 0
    for split, others in OTHERS.items():
        rows, elsewhere = positions[split], np.concatenate([positions[name] for name in others])
        leaks = np.zeros(len(rows), dtype=np.bool_)
        for name, key in keys.items():
            has_key = np.ones(len(rows), dtype=np.bool_) if name == "same_text" else key[rows] >= 0
            shared = has_key & np.isin(key[rows], key[elsewhere])
            counts[name][split] = int(shared.sum())
            leaks |= shared
        leaking += int(leaks.sum())
    measured = sum(len(positions[split]) for split in OTHERS)
    return {**counts, "share": round(leaking / max(measured, 1), 6)}


def require_no_leak(leak: Mapping[str, Any], *, max_leak: float) -> None:
    """Check that few enough rows of val and test are in another split too.

    Args:
        leak: From `find_leak`.
        max_leak: Share of the rows of val and test (0 to 1) that may leak.

    Raises:
        DataError: More rows leak.
    """
    if leak["share"] > max_leak:
        kinds = "; ".join(
            f"{name.replace('_', ' ')}: {counts['val']} rows of val, {counts['test']} of test"
            for name, counts in leak.items()
            if name != "share" and sum(counts.values())
        )
        raise DataError(
            f"{leak['share']:.2%} of the rows of val and test are in another split too ({kinds}), but split.max_leak "
            f"is {max_leak}. Set split.duplicates: drop, or raise split.max_leak."
        )
