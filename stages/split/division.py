"""From the rows' labels, groups and official splits to the positions of train, val and test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.errors import DataError
from stages.files import replace_file
from stages.split.stratify import apportion, carve
from stages.split.units import first_of_each, join_rows

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class RowFacts:
    """What the division needs to know of each row.

    Args:
        label: Label index, (rows,).
        text_key: Equal for equal texts, (rows,).
        group: Number of the row's group, -1 where it has none, (rows,).
        split: Official split of each row, if it has one.
    """

    label: NDArray[np.int64]
    text_key: NDArray[np.int64]
    group: NDArray[np.int64]
    split: Sequence[str | None]


def read_facts(path: Path) -> RowFacts:
    """Read the facts of all rows from tokens.arrow; the token ids stay on disk."""
    with pa.memory_map(str(path)) as file:
        table = pa.ipc.open_stream(file).read_all().select(["label", "text_key", "group", "split"])
        group = table.column("group").combine_chunks().dictionary_encode().indices.fill_null(-1)
        return RowFacts(
            label=table.column("label").to_numpy().astype(np.int64),
            text_key=table.column("text_key").to_numpy(),
            group=group.to_numpy().astype(np.int64),
            split=table.column("split").to_pylist(),
        )


def divide(
    facts: RowFacts,
    labels: Sequence[str],
    *,
    val: float,
    test: float,
    seed: int,
    duplicates: str,
    train_fraction: float,
) -> tuple[dict[str, NDArray[np.int64]], dict[str, Any]]:
    """Divide the rows.

    Args:
        facts: Of all rows.
        labels: Label names in class order.
        val: Share of the rows (0 to 1) for val, where no file gives it.
        test: Share of the rows (0 to 1) for test, where no file gives it.
        seed: Of the shuffle (>= 0).
        duplicates: together, drop or keep.
        train_fraction: Share of train (over 0, to 1) that is used.

    Returns:
        Positions per split, ascending; and stats.json.

    Raises:
        DataError: A class has no row in a split.
    """
    official = np.array([name or "train" for name in facts.split])
    stays = (
        first_of_each(facts.text_key, facts.split) if duplicates == "drop" else np.ones(len(official), dtype=np.bool_)
    )
    positions = {name: np.flatnonzero(stays & (official == name)) for name in SPLITS}
    shares = {name: share for name, share in (("test", test), ("val", val)) if not len(positions[name])}
    for name, share in shares.items():
        if not share:
            raise DataError(f"split.{name} is 0 and no file is {name}. Set split.{name}, or give a file split: {name}.")
    pool = positions["train"]
    part = carve(facts.label[pool], _units(facts, pool, duplicates), shares=shares, seed=seed)
    for number, name in enumerate(("train", *shares)):
        positions[name] = pool[part == number]
    _require_all_labels(positions, facts.label, labels, shares)
    carved = len(positions["train"])
    positions["train"] = _fraction(positions["train"], facts.label, train_fraction, seed)
    stats = {
        "rows": len(official),
        **{name: _describe(positions[name], facts.label, labels) for name in SPLITS},
        "official": [name for name in SPLITS if name in facts.split],
        "duplicates_dropped": int((~stays).sum()),
        "train_left_out": carved - len(positions["train"]),
    }
    return positions, stats


def write_positions(path: Path, positions: NDArray[np.int64]) -> None:
    """Write a split: one column `position`, ascending, into rows.parquet and tokens.arrow."""
    with replace_file(path) as temporary:
        pq.write_table(pa.table({"position": pa.array(positions, pa.int64())}), temporary)


def _units(facts: RowFacts, pool: NDArray[np.int64], duplicates: str) -> NDArray[np.int64]:
    keys = [facts.group[pool]] if (facts.group[pool] >= 0).any() else []
    if duplicates == "together":
        keys.append(np.unique(facts.text_key[pool], return_inverse=True)[1].astype(np.int64))
    return join_rows(keys, rows=len(pool))


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
