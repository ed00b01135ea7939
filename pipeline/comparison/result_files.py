"""Reads the files of results, which may come with a pull request and hold anything."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.errors import PipelineError
from stages.predictions import Predictions, read_predictions
from stages.targets.target import Target

DAMAGE = (  # what readers raise for a file that holds anything
    *(pa.ArrowException, OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError, OverflowError),
)
COMPARED = frozenset({"classes"})  # kinds of targets
COLUMNS = ("id", "text", "label")  # of rows.parquet that a comparison reads


def read_labels(path: Path, *, name: str) -> list[str]:
    """The names of the classes, in order.

    Args:
        path: labels.json.
        name: What messages call it.

    Raises:
        PipelineError: It is damaged, or of a kind of target that is not compared.
    """
    with _report_damage(name):
        target = Target.of_json(json.loads(path.read_text(encoding="utf-8")))
    if target.kind not in COMPARED:
        raise PipelineError(
            f"{name}: the label is a {target.kind}, which retune compare does not judge yet. "
            "Show how the headline metrics changed with: dvc metrics diff"
        )
    return target.labels


def read_seed(path: Path, *, name: str, num_labels: int) -> dict[str, Predictions]:
    """The predictions of one seed, by split.

    Args:
        path: predictions.parquet.
        name: What messages call it.
        num_labels: Number of classes.

    Raises:
        PipelineError: It is damaged, or a value is out of range.
    """
    with _report_damage(name):
        splits = read_predictions(path)
        for split in splits.values():
            _check(split, num_labels)
    return splits


def read_rows(path: Path, *, name: str) -> pa.Table:
    """The data set.

    Args:
        path: rows.parquet.
        name: What messages call it.

    Raises:
        PipelineError: It is damaged, or lacks a column.
    """
    with _report_damage(name):
        table = pq.read_table(path)
        table.validate(full=True)
        if wrong := [column for column in COLUMNS if not pa.types.is_string(table.schema.field(column).type)]:
            raise TypeError(f"{wrong[0]} is not a column of texts")
    return table


def _check(split: Predictions, num_labels: int) -> None:
    if split.probabilities.shape != (len(split), num_labels) or not np.isfinite(split.probabilities).all():
        raise ValueError(f"expected {num_labels} probabilities in each row")
    for labels in (split.labels, split.decided):
        if labels is not None and len(labels) and not 0 <= labels.min() <= labels.max() < num_labels:
            raise ValueError(f"expected labels from 0 to {num_labels - 1}")
    if not all(isinstance(row, str) for row in split.ids):
        raise TypeError("an id is not a text")


@contextlib.contextmanager
def _report_damage(name: str) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise PipelineError(f"{name} is damaged. Write it again: retune run") from error
