"""predictions.parquet: a model's probabilities and the predicted label for every row of val and test.

Where the label is a number, it is in `labels` and `decided` as it is, and `probabilities` has the model's only output.
Where a row has any number of labels, both have flags of shape (rows, num_labels) that say which.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.files import replace_file
from stages.row_labels import label_array, label_values


@dataclass(frozen=True)
class Predictions:
    """One model's predictions for the rows of val or test.

    Attributes:
        positions: Positions of the rows in rows.parquet; shape (rows,).
        ids: Ids of the rows; length rows.
        labels: Label index, or number, of each row; shape (rows,).
        probabilities: Shape (rows, num_labels).
        tokens: Tokens of each row, special tokens included; shape (rows,). None in a file of an older version.
        groups: Equal for rows that belong together (see `stages/components.py`), so that chance in which rows were
            drawn counts them once; shape (rows,). None: each row is its own, as in a file of an older version.
        decided: Label of each row by the model's decision rule, or its predicted number; shape (rows,). None in a file
            of an older version.
    """

    positions: NDArray[np.int64]
    ids: Sequence[str]
    labels: NDArray[Any]
    probabilities: NDArray[np.float32]
    tokens: NDArray[np.int64] | None = None
    groups: NDArray[np.int64] | None = None
    decided: NDArray[Any] | None = None

    @property
    def preds(self) -> NDArray[Any]:
        """Predicted label of each row: as decided, else the most probable one; shape (rows,)."""
        preds: NDArray[Any] = np.argmax(self.probabilities, axis=1) if self.decided is None else self.decided
        return preds

    def __len__(self) -> int:
        return len(self.labels)


def write_predictions(path: Path, splits: Mapping[str, Predictions]) -> None:
    """Write a row per example: position, id, split, label, tokens, group, pred, probabilities."""
    with replace_file(path) as temporary:
        pq.write_table(pa.concat_tables([_table(name, split) for name, split in splits.items()]), temporary)


def read_predictions(path: Path) -> dict[str, Predictions]:
    """Read the predictions for val and test."""
    table = pq.read_table(path)
    predictions = {name: _predictions(table.filter(pc.equal(table["split"], name))) for name in ("val", "test")}
    del table
    pa.default_memory_pool().release_unused()  # else Arrow keeps three times the predictions for itself
    return predictions


def _table(name: str, split: Predictions) -> pa.Table:
    rows, num_labels = split.probabilities.shape
    flat = pa.array(split.probabilities.ravel(), pa.float32())
    return pa.table(
        {
            "position": split.positions,
            "id": pa.array(split.ids, pa.string()),
            "split": pa.array([name] * rows, pa.string()),
            "label": label_array(split.labels),
            "tokens": pa.array(split.tokens, pa.int32()),
            "group": pa.array(np.arange(rows) if split.groups is None else split.groups, pa.int64()),
            "pred": label_array(split.preds),
            "probabilities": pa.FixedSizeListArray.from_arrays(flat, num_labels),
        }
    )


def _predictions(table: pa.Table) -> Predictions:
    width = table.schema.field("probabilities").type.list_size
    flat = table["probabilities"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return Predictions(
        positions=table["position"].to_numpy(),
        ids=table["id"].to_pylist(),
        labels=label_values(table["label"]),
        probabilities=flat.reshape(-1, width),
        tokens=_integers(table, "tokens"),
        groups=_integers(table, "group"),
        decided=label_values(table["pred"]) if "pred" in table.column_names else None,
    )


def _integers(table: pa.Table, column: str) -> NDArray[np.int64] | None:
    return table[column].to_numpy().astype(np.int64) if column in table.column_names else None
