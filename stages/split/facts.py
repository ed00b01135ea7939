"""What the division needs to know of each row, read without the token ids."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


@dataclass(frozen=True)
class RowFacts:
    """What the division needs to know of each row.

    Args:
        label: Label index, (rows,).
        text_key: Equal for equal texts, (rows,).
        cluster: Equal for nearly equal texts, -1 where there is no other, (rows,).
        group: Number of the row's group, -1 where it has none, (rows,).
        content: Hash of the row's group, or of its text where it has none; the same whatever other rows there are,
            (rows,).
        split: Official split of each row, if it has one.
    """

    label: NDArray[np.int64]
    text_key: NDArray[np.int64]
    cluster: NDArray[np.int64]
    group: NDArray[np.int64]
    content: NDArray[np.int64]
    split: Sequence[str | None]


def read_facts(path: Path) -> RowFacts:
    """Read the facts of all rows from tokens.arrow; the token ids stay on disk."""
    with pa.memory_map(str(path)) as file:
        names = ["label", "text_key", "cluster", "group", "split"]
        table = pa.ipc.open_stream(file).read_all().select(names)
        groups = table.column("group").combine_chunks().dictionary_encode()
        group = groups.indices.fill_null(-1).to_numpy().astype(np.int64)
        text_key = table.column("text_key").to_numpy()
        hashes = np.array([_hash(name) for name in groups.dictionary.to_pylist()] or [0], dtype=np.int64)
        return RowFacts(
            label=table.column("label").to_numpy().astype(np.int64),
            text_key=text_key,
            cluster=table.column("cluster").fill_null(-1).to_numpy(),
            group=group,
            content=np.where(group >= 0, hashes[group], text_key),
            split=table.column("split").to_pylist(),
        )


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
