"""The columns that the rows are divided by, read without the token ids."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


@dataclass(frozen=True)
class SplitInputs:
    """The columns that the rows are divided by.

    Args:
        label: Label index, (rows,).
        text_key: Equal for equal texts, (rows,).
        cluster: Equal for nearly equal texts, -1 for a text that is like no other, (rows,).
        group: Number of the row's group, -1 for none, (rows,).
        content: Hash of the row's group, or of its text where it has no group, so that it does not depend on other
            rows, (rows,).
        split: Official split of each row; None: it has none.
    """

    label: NDArray[np.int64]
    text_key: NDArray[np.int64]
    cluster: NDArray[np.int64]
    group: NDArray[np.int64]
    content: NDArray[np.int64]
    split: Sequence[str | None]


def read_inputs(path: Path) -> SplitInputs:
    """Read the columns from tokens.arrow."""
    with pa.memory_map(str(path)) as file:
        names = ["label", "text_key", "cluster", "group", "split"]
        table = pa.ipc.open_stream(file).read_all().select(names)
        groups = table.column("group").combine_chunks().dictionary_encode()
        group = groups.indices.fill_null(-1).to_numpy().astype(np.int64)
        text_key = table.column("text_key").to_numpy()
        hashes = np.array([_hash_group(name) for name in groups.dictionary.to_pylist()] or [0], dtype=np.int64)
        return SplitInputs(
            label=table.column("label").to_numpy().astype(np.int64),
            text_key=text_key,
            cluster=table.column("cluster").fill_null(-1).to_numpy(),
            group=group,
            content=np.where(group >= 0, hashes[group], text_key),
            split=table.column("split").to_pylist(),
        )


def _hash_group(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
