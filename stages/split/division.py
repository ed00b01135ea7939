"""From the rows' labels, groups and official splits to the positions of train, val and test."""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.errors import DataError
from stages.files import replace_file
from stages.split.facts import RowFacts
from stages.split.hashing import carve_by_hash, leave_out_straddlers
from stages.split.leak import find_leak, require_no_leak
from stages.split.stratify import apportion, carve
from stages.split.units import first_of_each, join_rows

SPLITS = ("train", "val", "test")


def divide(
    facts: RowFacts,
    labels: Sequence[str],
    *,
    method: str,
    val: float,
    test: float,
    seed: int,
    duplicates: str,
    train_fraction: float,
    max_leak: float,
) -> tuple[dict[str, NDArray[np.int64]], dict[str, Any]]:
    """Divide the rows.

    Args:
        facts: Of all rows.
        labels: Label names in class order.
        method: stratified, hash or source.
        val: Share of the rows (0 to 1) for val, where no file gives it.
        test: Share of the rows (0 to 1) for test, where no file gives it.
        seed: Of the shuffle (>= 0).
        duplicates: Of texts that are equal or nearly so: together, drop or keep.
        train_fraction: Share of train (over 0, to 1) that is used.
        max_leak: Share of val's and test's rows (0 to 1) that may stand in another split too.

    Returns:
        Positions per split, ascending; and stats.json.

    Raises:
        DataError: A class has no row in a split, a split is missing, or too much leaks.
    """
    given = np.array([name or "" for name in facts.split])
    stays = np.ones(len(given), dtype=np.bool_)
    if duplicates == "drop":
        stays = first_of_each(_same_text(facts, np.arange(len(given))), facts.split)
    positions = {name: np.flatnonzero(stays & (given == name)) for name in SPLITS}
    pool = np.flatnonzero(stays & ((given == "") | (given == "train")))
    shares = {} if method == "source" else _shares(positions, val=val, test=test)
    left_out = 0
    if method == "source":
        _require_official(given)
    else:
        units = _units(facts, pool, duplicates)
        part = (
            carve_by_hash(facts.content[pool], shares=shares, seed=seed)
            if method == "hash"
            else carve(facts.label[pool], units, shares=shares, seed=seed)
        )
        whole = leave_out_straddlers(part, units)
        left_out = int((~whole).sum())
        for number, name in enumerate(("train", *shares)):
            positions[name] = pool[whole & (part == number)]
    _require_all_labels(positions, facts.label, labels, shares)
    leak = find_leak(positions, facts)
    require_no_leak(leak, max_leak=max_leak)
    train = positions["train"]
    positions["train"] = _fraction(train, facts.label, train_fraction, seed)
    stats = {
        "rows": len(given),
        **{name: _describe(positions[name], facts.label, labels) for name in SPLITS},
        "official": [name for name in SPLITS if name in facts.split],
        "duplicates_dropped": int((~stays).sum()),
        "left_out_as_leak": left_out,
        "train_left_out": len(train) - len(positions["train"]),
        "leak": leak,
    }
    return positions, stats


def write_positions(path: Path, positions: NDArray[np.int64]) -> None:
    """Write a split: one column `position`, ascending, into rows.parquet and tokens.arrow."""
    with replace_file(path) as temporary:
        pq.write_table(pa.table({"position": pa.array(positions, pa.int64())}), temporary)


def _shares(positions: Mapping[str, NDArray[np.int64]], *, val: float, test: float) -> dict[str, float]:
    """The splits that no file gives, with the share of the other rows that each shall have."""
    shares = {name: share for name, share in (("test", test), ("val", val)) if not len(positions[name])}
    for name, share in shares.items():
        if not share:
            raise DataError(f"split.{name} is 0 and no file is {name}. Set split.{name}, or give a file split: {name}.")
    return shares


def _require_official(given: NDArray[np.str_]) -> None:
    missing = [name for name in SPLITS if not (given == name).any()]
    if missing:
        raise DataError(f"split.method is source, but no file is {' or '.join(missing)}. Set split.method: stratified.")
    if (given == "").any():
        raise DataError(
            f"split.method is source, but {int((given == '').sum())} rows are of files without a split. "
            "Give these files theirs, or set split.method: stratified."
        )


def _same_text(facts: RowFacts, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the texts, equal and nearly equal ones alike; shape as `rows`."""
    return join_rows([_numbered(facts.text_key[rows]), facts.cluster[rows]], rows=len(rows))


def _units(facts: RowFacts, rows: NDArray[np.int64], duplicates: str) -> NDArray[np.int64]:
    """Number what must stay in one split; shape as `rows`."""
    keys = [facts.group[rows]] if (facts.group[rows] >= 0).any() else []
    if duplicates == "together":
        keys += [_numbered(facts.text_key[rows]), facts.cluster[rows]]
    return join_rows(keys, rows=len(rows))


def _numbered(key: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(key, return_inverse=True)[1].astype(np.int64)


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
            problems.append(f"{name} ({len(positions[name])} rows) has no row of {', '.join(map(repr, absent))}")
    if problems:
        carved = f", or a larger share in split.{' and split.'.join(shares)}" if shares else ""
        raise DataError(
            f"The split leaves classes without a row: {'; '.join(problems)}. "
            f"Give these classes more rows{carved}, or join them with others in download.dataset.labels."
        )


def _fraction(train: NDArray[np.int64], label: NDArray[np.int64], fraction: float, seed: int) -> NDArray[np.int64]:
    """Keep a share of each class; a smaller share keeps a part of what a larger one does."""
    if fraction == 1:
        return train
    counts = apportion(np.bincount(label[train]), ceil(fraction * len(train)), least=1)
    shuffled = np.random.default_rng(seed).permutation(train)
    kept = [shuffled[label[shuffled] == index][:count] for index, count in enumerate(counts)]
    return np.sort(np.concatenate(kept))


def _describe(positions: NDArray[np.int64], label: NDArray[np.int64], labels: Sequence[str]) -> dict[str, Any]:
    counts = np.bincount(label[positions], minlength=len(labels))
    return {"rows": len(positions), "labels": {name: int(count) for name, count in zip(labels, counts, strict=True)}}
