"""Which classes each split has rows of: an error where that could be otherwise, and a note where a file has it so."""

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from stages.errors import DataError
from stages.messages import examples

LARGER = 1.5  # times the rows that its share is: a split of that size is worth a note


def check_classes(
    counts: Mapping[str, NDArray[np.int64]],
    pool: NDArray[np.int64],
    labels: Sequence[str],
    *,
    shares: Mapping[str, float],
    method: str,
    in_every_split: bool = True,
    sizes: Mapping[str, int] | None = None,
    train_fraction: float = 1.0,
) -> list[str]:
    """Return what is unusual about the classes of the splits, a sentence each.

    Args:
        counts: By split, the rows of each class; (labels,).
        pool: Rows of each class that train and the splits in `shares` are taken from; (labels,).
        labels: Label names in class order.
        shares: Share (0 to 1) of each split that is taken from these rows.
        method: As split.method.
        in_every_split: Whether each class needs rows in each split.
        sizes: Rows of each split, where a row may have any number of labels; None: each has one.
        train_fraction: As in split.train_fraction.

    Raises:
        DataError: train has no row. Or a class has rows for train, and none is in train or in a split that is taken
            from these rows.
    """
    if not counts["train"].any():
        raise DataError("train has no row: each file has split: val or test. Give a file split: train, or none.")
    problems, notes = [], []
    for name, rows in counts.items():
        size = int(rows.sum()) if sizes is None else sizes[name]
        taken = name == "train" or name in shares
        absent = [
            label for label, count, has in zip(labels, rows, pool, strict=True) if not count and (has or not taken)
        ]
        if absent and taken:
            problems.append(f"{name} ({_rows(size)}) has no row of {examples(absent)}")
        elif absent:
            notes.append(
                f"{name} ({_rows(size)}), as given by the files, has no row of {examples(absent)}, so it can't "
                "measure that."
            )
        total = int(pool.sum()) if sizes is None else sum(sizes.values())
        expected = ceil(shares.get(name, 1.0) * total)
        if size > LARGER * expected:
            notes.append(
                f"{name} has {size} of {total} rows, though split.{name} is {shares[name]:g}: each class needs a row "
                "there. With more rows per class it would get its share."
            )
    if not in_every_split:
        sizes = sizes or {}
        return [
            f"{name} has no row, though split.{name} is {share:g}: add rows, or divide them into more groups."
            for name, share in shares.items()
            if share and not sizes.get(name, counts[name].sum())
        ]
    if problems:
        small = train_fraction < 1 and any(problem.startswith("train ") for problem in problems)
        advice = "Set a larger split.train_fraction." if small else _advise(shares, method)
        raise DataError(f"Classes have no row in a split: {'; '.join(problems)}. {advice}")
    unseen = [label for label, count in zip(labels, pool, strict=True) if not count]
    if unseen:
        notes.append(
            f"train has no row of {examples(unseen)}, which val or test have: the model can't learn it, "
            "so most of its rows count as errors."
        )
    return notes


def _advise(shares: Mapping[str, float], method: str) -> str:
    larger = f", set a larger split.{' and split.'.join(shares)}" if shares else ""
    if method == "hash":
        return (
            "split.method: hash leaves it to chance which rows a split gets: set split.method: stratified"
            f"{larger}, or add rows of these classes."
        )
    return (
        "Rows that share a group or a text stay in one split, also where their classes differ: set "
        "split.duplicates: keep, "
        f"download.dataset.columns.group: null{larger}, or add rows of these classes."
    )


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"
