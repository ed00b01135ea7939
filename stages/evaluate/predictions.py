"""predictions.parquet: what the model says of every row of val and test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.files import replace_file, write_text
from stages.tokens import TOKENS_FILE


@dataclass(frozen=True)
class Predictions:
    """Predictions for the rows of one split.

    Args:
        positions: The rows' positions in rows.parquet; shape (rows,).
        labels: Given labels; shape (rows,).
        probabilities: Shape (rows, num_labels).
    """

    positions: NDArray[np.int64]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    @property
    def preds(self) -> NDArray[np.int64]:
        """Most probable label of each row; shape (rows,)."""
        preds: NDArray[np.int64] = np.argmax(self.probabilities, axis=1)
        return preds


def read_ids(tokens_folder: Path) -> pa.ChunkedArray:
    """Read the ids of all rows, in the order of rows.parquet."""
    with pa.memory_map(str(tokens_folder / TOKENS_FILE)) as file:
        return pa.ipc.open_stream(file).read_all().column("id")


def write_predictions(path: Path, splits: Mapping[str, Predictions], ids: pa.ChunkedArray) -> None:
    """Write a row per example: position, id, split, label, probabilities."""
    tables = [_table(name, split, ids) for name, split in splits.items()]
    with replace_file(path) as temporary:
        pq.write_table(pa.concat_tables(tables), temporary)


def write_confusion(path: Path, predictions: Predictions, labels: list[str]) -> None:
    """Write a row per example, given and predicted label by name, as DVC's confusion template reads it."""
    names = pa.array(labels, pa.string())
    table = pa.table({"label": names.take(predictions.labels), "predicted": names.take(predictions.preds)})
    with replace_file(path) as temporary:
        pcsv.write_csv(table, temporary, pcsv.WriteOptions(quoting_style="needed"))


def write_calibration(path: Path, rows: Sequence[tuple[str, float, float, int]]) -> None:
    """Write the calibration plot: a row per bin of test, before and after temperature scaling."""
    lines = ["probabilities,confidence,accuracy,rows", *(",".join(map(str, row)) for row in rows)]
    write_text(path, "\n".join(lines) + "\n")


def _table(name: str, split: Predictions, ids: pa.ChunkedArray) -> pa.Table:
    rows, num_labels = split.probabilities.shape
    flat = pa.array(split.probabilities.ravel(), pa.float32())
    return pa.table(
        {
            "position": split.positions,
            "id": ids.take(split.positions).combine_chunks(),
            "split": pa.array([name] * rows, pa.string()),
            "label": pa.array(split.labels, pa.int32()),
            "probabilities": pa.FixedSizeListArray.from_arrays(flat, num_labels),
        }
    )
