"""Reads the files of results, which may come with a pull request and hold anything."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.comparison.targets import COMPARED
from stages.errors import PipelineError
from stages.predictions import Predictions, read_predictions
from stages.targets.target import Target

DAMAGE = (  # what readers raise for a file that holds anything
    *(pa.ArrowException, OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError, OverflowError),
)
COLUMNS = ("id", "text", "label")  # of rows.parquet that a comparison reads


def read_target(path: Path, *, name: str) -> Target:
    """What the labels are.

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
            f"{name}: the label is of the kind {target.kind}, which retune compare does not support yet. "
            "Show how the headline metrics changed with: dvc metrics diff"
        )
    return target


def read_seed(path: Path, *, name: str, target: Target) -> dict[str, Predictions]:
    """The predictions of one seed, by split.

    Args:
        path: predictions.parquet.
        name: What messages call it.
        target: What the labels are.

    Raises:
        PipelineError: It is damaged, or a value is out of range.
    """
    with _report_damage(name):
        splits = read_predictions(path)
        for split in splits.values():
            COMPARED[target.kind].check(split, target)
            if not all(isinstance(row, str) for row in split.ids):
                raise TypeError("an id is not a string")
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
            raise TypeError(f"{wrong[0]} is not a column of strings")
    return table


@contextlib.contextmanager
def _report_damage(name: str) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise PipelineError(f"{name} is damaged. Write it again: retune run") from error
