"""The tokens of rows: one row's ids, or a padded batch; the file is memory-mapped, so only what is used is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.row_labels import label_values

T = TypeVar("T", bound=np.generic)
Batch = dict[str, NDArray[Any]]  # input_ids, attention_mask, ... of a batch, each (batch, tokens)

TOKENS_FILE = "tokens.arrow"  # an Arrow IPC stream: datasets.Dataset.from_file() opens it too


@dataclass(frozen=True)
class Tokens:
    """Token ids of rows; those of data/tokenize/tokens are in the order of rows.parquet.

    Args:
        labels: Label index of each row, shape (rows,), or what else its kind of target has.
        lengths: Tokens in each row, special tokens included; shape (rows,).
        starts: Position of each row's first token in its chunk; shape (rows,).
        chunks: Chunk of each row; shape (rows,).
        input_ids: Token ids of each chunk, its rows one after the other.
        token_type_ids: As `input_ids`, where the model tells the texts of a pair apart; else empty.
        padding_side: Where `pad` puts padding, as the model needs it: right or left.
    """

    labels: NDArray[Any]
    lengths: NDArray[np.int64]
    starts: NDArray[np.int64]
    chunks: NDArray[np.int64]
    input_ids: Sequence[NDArray[np.int32]]
    token_type_ids: Sequence[NDArray[np.int8]]
    padding_side: str = "right"

    def __len__(self) -> int:
        return len(self.lengths)

    def row(self, position: int) -> NDArray[np.int32]:
        """Return the token ids of one row; shape (tokens,)."""
        return self._slice(self.input_ids, position)

    def types(self, position: int) -> NDArray[np.int8]:
        """Return the types of one row's tokens, where there are any; shape (tokens,)."""
        return self._slice(self.token_type_ids, position)

    def pad(self, positions: Sequence[int] | NDArray[np.int64], *, pad_token_id: int) -> Batch:
        """Return a batch padded to its own longest row.

        Returns:
            input_ids, attention_mask (and token_type_ids where there are any), each (batch, tokens); labels, (batch,).
        """
        lengths = self.lengths[positions]
        shape = (len(positions), int(lengths.max()))
        mask = np.arange(shape[1]) < lengths[:, None]  # (batch, tokens)
        mask = mask[:, ::-1] if self.padding_side == "left" else mask
        input_ids = np.full(shape, pad_token_id, dtype=np.int64)
        input_ids[mask] = np.concatenate([self._slice(self.input_ids, row) for row in positions])
        batch = {"input_ids": input_ids, "attention_mask": mask.astype(np.int64), "labels": self.labels[positions]}
        if self.token_type_ids:
            types = np.zeros(shape, dtype=np.int64)
            types[mask] = np.concatenate([self._slice(self.token_type_ids, row) for row in positions])
            batch["token_type_ids"] = types
        return batch

    def distinct(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return positions of rows that all differ in their tokens, and for each row which of them has its tokens.

        Returns:
            Positions, (distinct,); and indices into these, (rows,).
        """
        numbers: dict[tuple[bytes, ...], int] = {}
        keys = (tuple(part.tobytes() for part in self.parts(int(row))) for row in positions)
        same_as = np.fromiter((numbers.setdefault(key, len(numbers)) for key in keys), np.int64, len(positions))
        _, first = np.unique(same_as, return_index=True)
        return positions[first], same_as

    def parts(self, row: int) -> list[NDArray[np.int32] | NDArray[np.int8]]:
        """Return what the model reads of one row: its token ids, and their types where there are any; (tokens,)."""
        ids: list[NDArray[np.int32] | NDArray[np.int8]] = [self._slice(self.input_ids, row)]
        return [*ids, self.types(row)] if self.token_type_ids else ids

    def _slice(self, flat: Sequence[NDArray[T]], row: int) -> NDArray[T]:
        start = self.starts[row]
        values: NDArray[T] = flat[self.chunks[row]][start : start + self.lengths[row]]
        return values


def open_tokens(folder: Path, labels: NDArray[Any] | None = None) -> Tokens:
    """Open data/tokenize/tokens, or a copy; token ids are read from disk when they are used.

    Args:
        folder: Holds tokens.arrow.
        labels: Of all rows, in place of those in the file, which may then have none; shape (rows, ...).
    """
    with pa.memory_map(str(folder / TOKENS_FILE)) as file:
        table = pa.ipc.open_stream(file).read_all()
    chunks = table.column("input_ids").chunks
    lengths = [np.diff(_offsets(chunk)) for chunk in chunks]
    return Tokens(
        labels=_learned(table) if labels is None else labels,
        lengths=_join(lengths),
        starts=_join([_offsets(chunk)[:-1] for chunk in chunks]),
        chunks=np.repeat(np.arange(len(chunks)), [len(chunk) for chunk in chunks]),
        input_ids=[chunk.values.to_numpy() for chunk in chunks],
        token_type_ids=[chunk.values.to_numpy() for chunk in table.column("token_type_ids").chunks]
        if "token_type_ids" in table.column_names
        else [],
    )


def read_column(folder: Path, name: str) -> pa.ChunkedArray:
    """Read one column of data/tokenize/tokens, such as `id` or `tokens_cut`, in the order of rows.parquet."""
    with pa.memory_map(str(folder / TOKENS_FILE)) as file:
        return pa.ipc.open_stream(file).read_all().column(name)


def read_positions(path: Path) -> NDArray[np.int64]:
    """Read a split: positions of its rows in rows.parquet and in the tokens; shape (rows,)."""
    return np.asarray(pq.read_table(path, columns=["position"]).column("position").to_numpy(), dtype=np.int64)


def batches_by_tokens(lengths: NDArray[np.int64], batch_tokens: int) -> list[NDArray[np.int64]]:
    """Return batches of indices into `lengths`, each of at most `batch_tokens` padded tokens.

    The longest rows come first: a batch that does not fit in memory then fails at once and not at the end. A row that
    is longer than `batch_tokens` is a batch of its own.
    """
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        rows = max(1, batch_tokens // max(1, int(lengths[order[start]])))
        batches.append(order[start : start + rows])
        start += rows
    return batches


def of_equal_length(batches: Sequence[NDArray[np.int64]], lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Cut batches of rows sorted by length wherever the length changes, so that no row is padded."""
    return [part for rows in batches for part in np.split(rows, np.flatnonzero(np.diff(lengths[rows])) + 1)]


def _learned(table: pa.Table) -> NDArray[Any]:
    """The column that models learn: `target` where the kind of target has one, else the label index."""
    if "target" not in table.column_names:
        return label_values(table.column("label"))
    column = table.column("target").combine_chunks()
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _offsets(chunk: pa.ListArray) -> NDArray[np.int64]:
    return np.asarray(chunk.offsets).astype(np.int64)


def _join(arrays: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.int64)
