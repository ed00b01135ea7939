"""The labels of rows, as most stages see them: the index of one label, or flags that say which labels a row has."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def label_array(labels: NDArray[Any]) -> pa.Array:
    """Return labels as Arrow stores them: indices, numbers, or for flags a list of fixed size; length rows."""
    if labels.ndim == 1:
        return pa.array(labels, pa.float64() if np.issubdtype(labels.dtype, np.floating) else pa.int32())
    return pa.FixedSizeListArray.from_arrays(pa.array(labels.astype(np.bool_).ravel()), labels.shape[1])


def label_values(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return what `label_array` stored: indices as int64, (rows,); numbers, (rows,); flags, (rows, num_labels)."""
    if pa.types.is_fixed_size_list(column.type):
        flags = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return np.asarray(flags.reshape(-1, column.type.list_size), dtype=np.bool_)
    values: NDArray[Any] = column.to_numpy()
    return values if pa.types.is_floating(column.type) else values.astype(np.int64)


def label_pairs(labels: NDArray[Any]) -> tuple[Ints, Ints]:
    """Return each row with each of its labels: row numbers and label indices, (pairs,) each, ordered by row.

    Args:
        labels: Indices, (rows,); or flags, (rows, num_labels), where a row has any number of labels.
    """
    if labels.ndim == 1:
        return np.arange(len(labels)), labels.astype(np.int64)
    row, label = np.nonzero(labels)
    return row, label


def count_labels(labels: NDArray[Any], *, num_labels: int) -> Ints:
    """Return the rows that have each label; shape (num_labels,)."""
    return np.bincount(label_pairs(labels)[1], minlength=num_labels).astype(np.int64)


def describe_labels(flags: NDArray[np.bool_], names: Sequence[str]) -> str:
    """Return the labels of one row as people read them: `app, payment`, or `none`; `flags` of shape (num_labels,)."""
    return ", ".join(name for name, flag in zip(names, flags, strict=True) if flag) or "none"


def has_label(labels: NDArray[Any], label: int) -> NDArray[np.bool_]:
    """Return which rows have a label; shape (rows,)."""
    return np.asarray(labels == label if labels.ndim == 1 else labels[:, label], dtype=np.bool_)
