"""Writes the confusion matrix and the calibration plot as CSV files that DVC draws."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pcsv

from stages.files import replace_file, write_text
from stages.predictions import Predictions


def write_confusion(path: Path, predictions: Predictions, labels: list[str]) -> None:
    """Write the names of each row's label and predicted label, as DVC's confusion template reads them."""
    names = pa.array(labels, pa.string())
    write_pairs(path, names.take(predictions.labels), names.take(predictions.preds))


def write_pairs(path: Path, labels: pa.Array, predicted: pa.Array) -> None:
    """Write a row per example: the name of its label, and that of the predicted one."""
    table = pa.table({"label": labels, "predicted": predicted})
    with replace_file(path) as temporary:
        pcsv.write_csv(table, temporary, pcsv.WriteOptions(quoting_style="needed"))


def write_calibration(path: Path, rows: Sequence[tuple[str, float, float, int]]) -> None:
    """Write a row per bin of test, before and after temperature scaling."""
    lines = ["probabilities,confidence,accuracy,rows", *(",".join(map(str, row)) for row in rows)]
    write_text(path, "\n".join(lines) + "\n")
