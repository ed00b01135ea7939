"""Divide the rows into train, val and test by their labels, texts, groups and official splits."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.class_rows import require_class_rows
from stages.files import replace_file
from stages.row_labels import count_labels
from stages.schema import Split
from stages.split.classes import check_classes
from stages.split.hashing import assign_by_hash, keep_one_split
from stages.split.label_sets import stratify_sets
from stages.split.leak import find_leak, require_no_leak
from stages.split.stratify import apportion, stratify
from stages.split_inputs import SPLITS, Pool, SplitInputs, pool_rows
from stages.targets.rows import ROWS
from stages.targets.target import Target


def divide(inputs: SplitInputs, target: Target, options: Split) -> tuple[dict[str, NDArray[np.int64]], dict[str, Any]]:
    """Return the positions of train, val and test, and statistics of the division.

    Args:
        inputs: Columns of all rows.
        target: The classes, or the ranges that rows are divided by.
        options: Method, shares, seed, and what happens to duplicates and leaks.

    Returns:
        Positions by split, ascending; and stats.json.

    Raises:
        DataError: A class has no row in a split, a split is missing, or too many rows leak.
    """
    pool, labels = pool_rows(inputs, options), target.labels
    require_class_rows(inputs, target, options)
    positions, leaking = _assign(inputs, pool, options)
    leak = find_leak(positions, inputs)
    train = positions["train"]
    positions["train"] = _fraction(train, inputs.label, options.train_fraction, options.seed)
    counts = {name: count_labels(inputs.label[rows], num_labels=len(labels)) for name, rows in positions.items()}
    notes = check_classes(
        counts,
        count_labels(inputs.label[pool.positions], num_labels=len(labels)),
        labels,
        shares=pool.shares,
        method=options.method,
        in_every_split=ROWS[target.kind].IN_EVERY_SPLIT,
        sizes={name: len(rows) for name, rows in positions.items()},
        train_fraction=options.train_fraction,
    )
    require_no_leak(leak, max_leak=options.max_leak)
    stats = {
        "rows": len(pool.kept),
        **{name: _describe(len(positions[name]), counts[name], labels) for name in SPLITS},
        "official": [name for name in SPLITS if name in inputs.split],
        "duplicates_dropped": int((~pool.kept).sum()),
        "left_out_as_leak": leaking,
        "train_left_out": len(train) - len(positions["train"]),
        "notes": notes,
        "leak": leak,
    }
    return positions, stats


def _assign(inputs: SplitInputs, pool: Pool, options: Split) -> tuple[dict[str, NDArray[np.int64]], int]:
    """Return the positions of each split, and the number of rows left out.

    A row is left out where rows that belong together with it are in another split that is kept before its own.
    """
    positions = {name: np.flatnonzero(pool.kept & (pool.official == name)) for name in SPLITS}
    if options.method == "source":
        return positions, 0
    if options.method == "hash":
        assigned = assign_by_hash(inputs.content[pool.positions], shares=pool.shares, seed=options.seed)
    else:
        divide_rows = stratify if inputs.label.ndim == 1 else stratify_sets  # one label of each row, or any number
        assigned = divide_rows(inputs.label[pool.positions], pool.component, shares=pool.shares, seed=options.seed)
    without_leak = keep_one_split(assigned, pool.component)
    for number, name in enumerate(("train", *pool.shares)):
        positions[name] = pool.positions[without_leak & (assigned == number)]
    return positions, int((~without_leak).sum())


def write_positions(path: Path, positions: NDArray[np.int64]) -> None:
    """Write a split: one column `position`, the ascending positions of its rows in rows.parquet and tokens.arrow."""
    with replace_file(path) as temporary:
        pq.write_table(pa.table({"position": pa.array(positions, pa.int64())}), temporary)


def _fraction(train: NDArray[np.int64], label: NDArray[Any], fraction: float, seed: int) -> NDArray[np.int64]:
    """Keep a share of each class's rows, one at least; the rows of a smaller share are among those of a larger one, but
    for a row that rounding may give to another class.

    Of rows with any number of labels, a share of all rows is kept.
    """
    total = ceil(round(fraction * len(train), 6))  # 0.07 * 100 is a little more than 7
    if label.ndim > 1:
        return np.sort(np.random.default_rng(seed).permutation(train)[:total])
    per_label = np.bincount(label[train])
    counts = np.maximum(apportion(per_label, total, least=1), np.minimum(per_label, 1))
    shuffled = np.random.default_rng(seed).permutation(train)
    rows = [shuffled[label[shuffled] == index][:count] for index, count in enumerate(counts)]
    return np.sort(np.concatenate([train[:0], *rows]))


def _describe(rows: int, counts: NDArray[np.int64], labels: Sequence[str]) -> dict[str, Any]:
    return {
        "rows": rows,
        "labels": {name: int(count) for name, count in zip(labels, counts, strict=True)},
    }
