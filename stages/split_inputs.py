"""The columns that the rows are divided by, and the rows that train and the splits that no file is are taken from."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.components import connect_rows, first_of_each
from stages.errors import DataError
from stages.row_labels import label_values
from stages.schema import Split

COLUMNS = ("label", "text_key", "cluster", "group", "split")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class SplitInputs:
    """The columns that the rows are divided by.

    Args:
        label: Label index, (rows,); or flags that say which labels a row has, (rows, num_labels).
        text_key: Equal for equal texts, (rows,).
        cluster: Equal for nearly equal texts, -1 for a text that is like no other, (rows,).
        group: Number of the row's group, -1 for none, (rows,).
        content: Hash of the row's group, or of its text where it has no group, so that it does not depend on other
            rows, (rows,).
        split: Official split of each row; None: it has none.
    """

    label: NDArray[Any]
    text_key: NDArray[np.int64]
    cluster: NDArray[np.int64]
    group: NDArray[np.int64]
    content: NDArray[np.int64]
    split: Sequence[str | None]

    @classmethod
    def of(cls, table: pa.Table) -> "SplitInputs":
        """Return the columns of a table that has `COLUMNS`, the label as an index."""
        group, names = _encode(table.column("group"))
        split, splits = _encode(table.column("split"))
        text_key = table.column("text_key").to_numpy()
        hashes = np.array([_hash_group(name) for name in names] or [0], dtype=np.int64)
        return cls(
            label=label_values(table.column("label")),
            text_key=text_key,
            cluster=table.column("cluster").fill_null(-1).to_numpy(),
            group=group,
            content=np.where(group >= 0, hashes[group], text_key),
            split=[None if number < 0 else splits[number] for number in split.tolist()],
        )


@dataclass(frozen=True)
class Pool:
    """The rows that train, and the splits that no file is, are taken from.

    Args:
        kept: Whether a row is used at all; duplicates may be dropped; (all rows,).
        official: Official split of each row, "" for none; (all rows,).
        positions: Of the rows of the pool; (rows,).
        component: Rows of one component belong together; (rows,).
        shares: The splits that are taken from the pool besides train, and the share of its rows that each gets.
    """

    kept: NDArray[np.bool_]
    official: NDArray[np.str_]
    positions: NDArray[np.int64]
    component: NDArray[np.int64]
    shares: dict[str, float]


def read_inputs(path: Path) -> SplitInputs:
    """Read the columns from tokens.arrow."""
    with pa.memory_map(str(path)) as file:
        return SplitInputs.of(pa.ipc.open_stream(file).read_all().select(COLUMNS))


def pool_rows(inputs: SplitInputs, options: Split) -> Pool:
    """Return the rows that are divided.

    Raises:
        DataError: A split is neither that of a file nor has a share of the rows.
    """
    kept = np.ones(len(inputs.split), dtype=np.bool_)
    if options.duplicates == "drop":
        texts = connect_rows(np.full(len(kept), -1), inputs.text_key, inputs.cluster, duplicates=options.duplicates)
        kept = first_of_each(texts, inputs.split)
    official = np.array([name or "" for name in inputs.split], dtype="<U5")
    if options.method == "source":
        _require_official(official)
        taken_from, shares = official == "train", {}
    else:
        taken_from = (official == "") | (official == "train")
        shares = _shares([name for name in SPLITS if (kept & (official == name)).any()], options)
    positions = np.flatnonzero(kept & taken_from)
    keys = (inputs.group[positions], inputs.text_key[positions], inputs.cluster[positions])
    return Pool(kept, official, positions, connect_rows(*keys, duplicates=options.duplicates), shares)


def _shares(official: Sequence[str], options: Split) -> dict[str, float]:
    """The splits that no file is, and the share of the rows that each gets."""
    shares = {name: share for name, share in (("test", options.test), ("val", options.val)) if name not in official}
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
            f"split.method is source, but no file with rows that are used has split: {' or '.join(missing)}. Give "
            "a file this split, correct its rows that are set aside, or set split.method: stratified."
        )
    if (official == "").any():
        raise DataError(
            f"split.method is source, but {int((official == '').sum())} rows come from files without a split. "
            "Give these files a split, or set split.method: stratified."
        )


def _encode(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[str]]:
    """The number of each row's value, -1 for null; and the values."""
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.indices.fill_null(-1).to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


def _hash_group(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
