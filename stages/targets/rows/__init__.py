"""How the label of a row is read and stored, and how rows are counted by it: for download, tokenize and split."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.errors import DataError
from stages.targets.rows import classes, label_set, number, ordered
from stages.targets.target import Finder, Kind, Reader, Target


class Rows(Protocol):
    """What differs between the kinds where rows are read; a module per kind has it.

    Attributes:
        CHECKS: The checks of labels (download.dataset.checks) that make sense for this kind.
        UNKNOWN: What is wrong with a label that can't be stored, and how to fix it, as messages say it.
        IN_EVERY_SPLIT: Whether each of `Target.labels` needs rows in train, val and test.
        VALUES: Type of the column `target` of tokens.arrow; None: the index of a label says all that a model learns.
    """

    @property
    def CHECKS(self) -> frozenset[str]: ...  # noqa: N802  (a constant of a module)

    @property
    def UNKNOWN(self) -> tuple[str, str]: ...  # noqa: N802

    @property
    def IN_EVERY_SPLIT(self) -> bool: ...  # noqa: N802

    @property
    def VALUES(self) -> pa.DataType | None: ...  # noqa: N802

    def stored(self, value: str) -> str | None:
        """Return a label as rows.parquet has it; None where the value is not of this kind."""

    def with_point(self, value: str, *, decimal_comma: bool) -> str:
        """Return a label that a person or a spreadsheet program wrote, a number with a point for its decimal comma.

        Args:
            value: The label.
            decimal_comma: Whether the program has the comma for numbers, so that 1,000 is 1, and 1.000 may be 1000.
        """

    def known(self, labels: Collection[str], finder: Finder) -> Reader:
        """Return what reads a label that a person gives a row, in any spelling, to the form of rows.parquet.

        It returns None where a model could not learn the label.

        Args:
            labels: The stored labels of all rows.
            finder: Finds a label by its spelling: that of stages.spelling_key, on which not every stage depends.
        """

    def describe(self, counts: Mapping[str, int], *, names: Mapping[str, str], order: Sequence[str]) -> Target:
        """Return the target of rows with these stored labels.

        Args:
            counts: Rows of each stored label.
            names: download.dataset.labels.
            order: download.dataset.label_order.

        Raises:
            DataError: A model can't learn them.
        """

    def index(self, column: pa.Array, target: Target) -> NDArray[Any]:
        """Return the index into `target.labels` of each stored label, by which rows are counted; shape (rows,).

        Where a row has several, flags that say which; shape (rows, num_labels).
        """

    def values(self, column: pa.Array, target: Target) -> pa.Array:
        """Return what a model learns of each stored label, of the type `VALUES`."""


ROWS: Mapping[Kind, Rows] = {"classes": classes, "ordered": ordered, "label_set": label_set, "number": number}


def read_rows_target(rows: Path) -> Target:
    """Return the target of rows.parquet.

    Raises:
        DataError: The file's schema has no label names.
    """
    metadata = pq.read_schema(rows).metadata or {}
    if b"labels" not in metadata:
        raise DataError(f"{rows} has no label names in its schema. Write it again with: dvc repro download@dataset")
    return Target.of_json(json.loads(metadata[b"labels"]))
