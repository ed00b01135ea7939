"""The files of the folds: which rows a fold's model is trained on and which it predicts, and what it answers.

A fold's file holds no label of the rows that its model predicts, so a corrected label leaves the fit of its own fold as
it was.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.files import replace_file
from stages.row_labels import label_array, label_values
from stages.tokens import TOKENS_FILE

Ints = NDArray[np.int64]
PARTS = ("train", "val", "predicted")  # in the order of their numbers in the file


@dataclass(frozen=True)
class Fold:
    """The rows that a fold's model is trained on, and those of the fold, which it predicts.

    Args:
        train, val: Positions of rows of other folds: most train the model, and some choose between models; (rows,).
        predicted: Positions of the rows of the fold; (rows,).
        labels: What a model learns of each row of the data set, blank (0) for rows that it is not trained on; shape
            (all rows, ...).
        units: Equal for rows that share a group or nearly a text; shape (all rows,).
    """

    train: Ints
    val: Ints
    predicted: Ints
    labels: NDArray[Any]
    units: Ints


def write_fold(path: Path, fold: Fold) -> None:
    """Write a row per row that takes part: position, part, unit and label, which is blank (0) in the fold itself."""
    positions = np.concatenate([fold.train, fold.val, fold.predicted])
    parts = np.repeat(np.arange(len(PARTS)), [len(fold.train), len(fold.val), len(fold.predicted)])
    order = np.argsort(positions, kind="stable")
    labels = fold.labels[positions].copy()
    labels[parts == PARTS.index("predicted")] = 0
    columns = {
        "position": pa.array(positions[order], pa.int64()),
        "part": pa.array(parts[order], pa.int8()),
        "unit": pa.array(fold.units[positions[order]], pa.int64()),
    }
    with replace_file(path) as temporary:
        pq.write_table(pa.table(columns | {"label": label_array(labels[order])}), temporary)


def read_fold(path: Path, *, rows: int) -> Fold:
    """Read what `write_fold` wrote; `rows` of the whole data set."""
    table = pq.read_table(path)
    positions, parts = (table[name].to_numpy().astype(np.int64) for name in ("position", "part"))
    known = label_values(table["label"])
    labels = np.zeros((rows, *known.shape[1:]), dtype=known.dtype)
    labels[positions] = known
    units = np.zeros(rows, dtype=np.int64)
    units[positions] = table["unit"].to_numpy()
    train, val, predicted = (positions[parts == number] for number in range(len(PARTS)))
    return Fold(train, val, predicted, labels, units)


def copy_tokens(source: Path, folder: Path) -> None:
    """Copy the token ids of tokens.arrow, without ids, labels and whatever else a corrected row changes.

    Args:
        source: data/tokenize/tokens.
        folder: Gets a tokens.arrow that `open_tokens` opens.
    """
    with pa.memory_map(str(source / TOKENS_FILE)) as file:
        reader = pa.ipc.open_stream(file)
        names = [name for name in ("input_ids", "token_type_ids") if name in reader.schema.names]
        schema = pa.schema([reader.schema.field(name) for name in names])
        with (
            replace_file(folder / TOKENS_FILE) as temporary,
            pa.OSFile(str(temporary), "wb") as sink,
            pa.ipc.new_stream(sink, schema) as writer,
        ):
            for batch in reader:
                writer.write_batch(pa.RecordBatch.from_arrays([batch.column(name) for name in names], schema=schema))


def write_answers(path: Path, positions: Ints, answers: NDArray[np.float32]) -> None:
    """Write a row per row of the fold: its position, and what the model answers (`predict_tokens`), (rows, outputs)."""
    flat = pa.array(answers.astype(np.float32).ravel(), pa.float32())
    values = pa.FixedSizeListArray.from_arrays(flat, answers.shape[1])
    with replace_file(path) as temporary:
        pq.write_table(pa.table({"position": pa.array(positions, pa.int64()), "answers": values}), temporary)


def read_answers(path: Path) -> tuple[Ints, NDArray[np.float32]]:
    """Read what `write_answers` wrote: positions, (rows,), and answers, (rows, outputs)."""
    table = pq.read_table(path)
    width = table.schema.field("answers").type.list_size
    flat = table["answers"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return table["position"].to_numpy(), np.asarray(flat.reshape(-1, width), dtype=np.float32)
