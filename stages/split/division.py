"""Divide the rows into train, val and test by their labels, texts, groups and official splits."""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.components import connect_rows
from stages.errors import DataError
from stages.files import replace_file
from stages.messages import examples
from stages.schema import Split
from stages.split.duplicates import first_of_each
from stages.split.hashing import assign_by_hash, keep_one_split
from stages.split.inputs import SplitInputs
from stages.split.leak import find_leak, require_no_leak
from stages.split.stratify import apportion, stratify

SPLITS = ("train", "val", "test")


def divide(
    inputs: SplitInputs, labels: Sequence[str], options: Split
) -> tuple[dict[str, NDArray[np.int64]], dict[str, Any]]:
    """Return the positions of train, val and test, and statistics of the division.

    Args:
        inputs: Columns of all rows.
        labels: Label names in class order.
        options: Method, shares, seed, and what happens to duplicates and leaks.

    Returns:
        Positions by split, ascending; and stats.json.

    Raises:
        DataError: A class has no row in a split, a split is missing, or too many rows leak.
    """
    kept = np.ones(len(inputs.split), dtype=np.bool_)
    if options.duplicates == "drop":
        no_group = np.full(len(kept), -1)
        texts = connect_rows(no_group, inputs.text_key, inputs.cluster, duplicates=options.duplicates)
        kept = first_of_each(texts, inputs.split)
    positions, shares, leaking = _assign(inputs, kept, options)
    _require_all_labels(positions, inputs.label, labels, shares)
    leak = find_leak(positions, inputs)
    require_no_leak(leak, max_leak=options.max_leak)
    train = positions["train"]
    positions["train"] = _fraction(train, inputs.label, options.train_fraction, options.seed)
    stats = {
        "rows": len(kept),
        **{name: _counts(positions[name], inputs.label, labels) for name in SPLITS},
        "official": [name for name in SPLITS if name in inputs.split],
        "duplicates_dropped": int((~kept).sum()),
        "left_out_as_leak": leaking,
        "train_left_out": len(train) - len(positions["train"]),
        "leak": leak,
    }
    return positions, stats


def _assign(
    inputs: SplitInputs, kept: NDArray[np.bool_], options: Split
) -> tuple[dict[str, NDArray[np.int64]], dict[str, float], int]:
    """Return the positions of each split, the shares of those that no file is, and the number of rows left out.

    A row is left out where rows that belong together with it are in another split that is kept before its own.
    """
    official = np.array([name or "" for name in inputs.split])
    positions = {name: np.flatnonzero(kept & (official == name)) for name in SPLITS}
    if options.method == "source":
        _require_official(official)
        return positions, {}, 0
    pool = np.flatnonzero(kept & ((official == "") | (official == "train")))
    shares = _shares(positions, val=options.val, test=options.test)
    keys = (inputs.group[pool], inputs.text_key[pool], inputs.cluster[pool])
    component = connect_rows(*keys, duplicates=options.duplicates)
    if options.method == "hash":
        assigned = assign_by_hash(inputs.content[pool], shares=shares, seed=options.seed)
    else:
        assigned = stratify(inputs.label[pool], component, shares=shares, seed=options.seed)
    without_leak = keep_one_split(assigned, component)
    for number, name in enumerate(("train", *shares)):
        positions[name] = pool[without_leak & (assigned == number)]
    return positions, shares, int((~without_leak).sum())


def write_positions(path: Path, positions: NDArray[np.int64]) -> None:
    """Write a split: one column `position`, the ascending positions of its rows in rows.parquet and tokens.arrow."""
    with replace_file(path) as temporary:
        pq.write_table(pa.table({"position": pa.array(positions, pa.int64())}), temporary)


def _shares(positions: Mapping[str, NDArray[np.int64]], *, val: float, test: float) -> dict[str, float]:
    """The splits that no file is, and the share of the rows that each gets."""
    shares = {name: share for name, share in (("test", test), ("val", val)) if not len(positions[name])}
    for name, share in shares.items():
        if not share:
            raise DataError(
                f"split.{name} is 0, and no file has split: {name}. Set split.{name}, or give a file this split."
            )
    return shares


def _require_official(official: NDArray[np.str_]) -> None:
    missing = [name for name in SPLITS if not (official == name).any()]
    if missing:
        raise DataError(
            f"split.method is source, but no file has split: {' or '.join(missing)}. Set split.method: stratified."
        )
    if (official == "").any():
        raise DataError(
            f"split.method is source, but {int((official == '').sum())} rows come from files without a split. "
            "Give these files a split, or set split.method: stratified."
        )


def _require_all_labels(
    positions: Mapping[str, NDArray[np.int64]],
    label: NDArray[np.int64],
    labels: Sequence[str],
    shares: Mapping[str, float],
) -> None:
    problems = []
    for name in SPLITS:
        counts = np.bincount(label[positions[name]], minlength=len(labels))
        absent = [label for label, count in zip(labels, counts, strict=True) if not count]
        if absent:
            problems.append(f"{name} ({len(positions[name])} rows) has no row of {examples(absent)}")
    if problems:
        larger = f", set a larger split.{' and split.'.join(shares)}" if shares else ""
        raise DataError(
            f"Classes have no row in a split: {'; '.join(problems)}. "
            f"Add rows of these classes{larger}, or join them with others in download.dataset.labels."
        )


def _fraction(train: NDArray[np.int64], label: NDArray[np.int64], fraction: float, seed: int) -> NDArray[np.int64]:
    """Keep a share of the rows of each class; the rows of a smaller share are among those of a larger one."""
    counts = apportion(np.bincount(label[train]), ceil(fraction * len(train)), least=1)
    shuffled = np.random.default_rng(seed).permutation(train)
    rows = [shuffled[label[shuffled] == index][:count] for index, count in enumerate(counts)]
    return np.sort(np.concatenate(rows))


def _counts(positions: NDArray[np.int64], label: NDArray[np.int64], labels: Sequence[str]) -> dict[str, Any]:
    counts = np.bincount(label[positions], minlength=len(labels))
    return {"rows": len(positions), "labels": {name: int(count) for name, count in zip(labels, counts, strict=True)}}
