"""The rows read so far: their columns on disk, and in memory what the checks across rows need."""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.download.checks.rules import SourceRow
from stages.download.readers.record import Record
from stages.download.text_keys import hash_text, normalise

COLUMNS = ("id", "text", "text_pair", "group", "split")  # the labels are in memory, where they may be renamed


class RowStore:
    """The rows that can be used by themselves, in the order in which they were read.

    Args:
        path: Arrow IPC stream with the columns; `collect_rows` writes it.
        slice_columns: Names of the slice columns.

    Attributes:
        files: Names of the files.
        splits: Official split of each file; None: it has none.
        counts: Rows read from each file, those that can't be used included.
        labels: Index of each label, in the order in which they were read.
    """

    def __init__(self, path: Path, slice_columns: Sequence[str] = ()) -> None:
        self.path = path
        self.slice_columns = slice_columns
        self.files: list[str] = []
        self.splits: list[str | None] = []
        self.counts: list[int] = []
        self.labels: dict[str, int] = {}
        self._file, self._label = array("i"), array("i")
        self._row, self._text_key, self._exact_key = array("q"), array("q"), array("q")

    def add(self, record: Record, label: str) -> None:
        """Add a row of the file that is being read: its number, the keys of its texts, and its label."""
        self._file.append(len(self.files) - 1)
        self._row.append(record.row)
        self._text_key.append(hash_text(normalise(record.text), normalise(record.text_pair)))
        self._exact_key.append(hash_text(record.text, record.text_pair))
        self._label.append(self.labels.setdefault(label, len(self.labels)))

    def rename_labels(self, names: Mapping[str, str]) -> None:
        """Give labels other names; labels that get the same name become one. Labels that `names` lacks keep theirs."""
        indices: dict[str, int] = {}
        renamed = [indices.setdefault(names.get(label, label), len(indices)) for label in self.labels]
        self._label = array("i", np.array(renamed, dtype=np.int32)[self.label].tobytes())
        self.labels = indices

    def relabel(self, position: int, label: str) -> None:
        """Give one row another label."""
        self._label[position] = self.labels.setdefault(label, len(self.labels))

    @property
    def schema(self) -> pa.Schema:
        """Schema of the columns on disk."""
        return pa.schema([(name, pa.string()) for name in (*COLUMNS, *self.slice_columns)])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the columns of all rows, a batch at a time."""
        with pa.OSFile(str(self.path)) as file, pa.ipc.open_stream(file) as stream:
            yield from stream

    def batches_with_ids(self) -> Iterator[tuple[pa.RecordBatch, list[str]]]:
        """Yield the columns and the ids of all rows, a batch at a time; a row without an id has a hash of its text."""
        key, occurrence, start = self.exact_key, _occurrences(self.exact_key), 0
        for batch in self.batches():
            rows = slice(start, start + len(batch))
            numbered = zip(key[rows].tolist(), occurrence[rows].tolist(), strict=True)
            ids = batch.column("id").to_pylist()
            yield batch, [row_id or hashed_id(*number) for row_id, number in zip(ids, numbered, strict=True)]
            start += len(batch)

    def source_row(self, position: int) -> SourceRow:
        """Return where the row at `position` was read."""
        return SourceRow(self.files[self._file[position]], self._row[position])

    @property
    def file(self) -> NDArray[np.int64]:
        """Index into `files` of each row; shape (rows,)."""
        return np.array(self._file, dtype=np.int64)

    @property
    def text_key(self) -> NDArray[np.int64]:
        """Key of each row's normalised texts; shape (rows,)."""
        return np.array(self._text_key, dtype=np.int64)

    @property
    def exact_key(self) -> NDArray[np.int64]:
        """Key of each row's texts, character for character; shape (rows,)."""
        return np.array(self._exact_key, dtype=np.int64)

    @property
    def label(self) -> NDArray[np.int64]:
        """Index into `labels` of each row; shape (rows,)."""
        return np.array(self._label, dtype=np.int64)


def hashed_id(key: int, occurrence: int) -> str:
    """Return an id that does not change when rows are added: the key of the text, and a number where it repeats."""
    name = f"{key & 0xFFFFFFFFFFFFFFFF:016x}"
    return name if occurrence == 1 else f"{name}-{occurrence}"


def _occurrences(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often the key of each row has occurred up to that row, itself included; shape (rows,)."""
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=key[order][:1] - 1))
    run = np.arange(len(key)) - np.repeat(starts, np.diff(starts, append=len(key))) + 1
    occurrence = np.empty(len(key), dtype=np.int64)
    occurrence[order] = run
    return occurrence
