"""Batches of rows of like length, padded or packed: shuffled for train, longest first for val."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from stages.finetune.acceleration.packing import pack
from stages.tokens import Tokens

Batch = dict[str, Tensor]

POOL_BATCHES = 50  # rows are sorted by length within this many batches: few padding tokens, and still a shuffle
VAL_BATCH_FACTOR = 4  # without gradients a larger batch fits in the same memory


class TokenRows(Dataset[Batch]):
    """The rows of one split; the index is an array of row numbers, the item a whole batch.

    Args:
        tokens: The tokens of all rows.
        positions: Positions of this split's rows in the tokens; shape (rows,).
        pad_token_id: Pads the rows of a batch to the length of its longest.
        packed_from: Number of a row's first position, which packs batches; None: batches are padded.
        filled: Fill packed batches up to one of few lengths.

    Attributes:
        lengths: Tokens in each row; shape (rows,).
    """

    def __init__(
        self,
        tokens: Tokens,
        positions: NDArray[np.int64],
        *,
        pad_token_id: int,
        packed_from: int | None = None,
        filled: bool = False,
    ) -> None:
        self.tokens = tokens
        self.positions = positions
        self.lengths = tokens.lengths[positions]
        self.pad_token_id = pad_token_id
        self.packed_from = packed_from
        self.filler = pad_token_id if filled else None

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, rows: NDArray[np.int64]) -> Batch:
        positions = self.positions[rows]
        if self.packed_from is not None:
            batch: Any = pack(self.tokens, positions, first_position=self.packed_from, filler=self.filler)
        else:
            padded = self.tokens.pad(positions, pad_token_id=self.pad_token_id)
            batch = {name: torch.from_numpy(values) for name, values in padded.items()}
        result: Batch = batch | {"rows": torch.from_numpy(positions)}
        return result


class LengthBuckets(Sampler[NDArray[np.int64]]):
    """Every row once per epoch, in batches of rows of like length; seed and epoch alone decide the order.

    The largest batch comes first in the first epoch: if it does not fit in memory, the training fails at once.

    Args:
        lengths: Tokens in each row; shape (rows,).
        batch_size: Rows per batch at most; one batch of each epoch holds the remainder.
        seed: Of the shuffle.
        max_tokens: Tokens per batch at most, padding included; None: no limit.
        parts: Each batch comes as this many smaller ones, one after the other.
    """

    def __init__(
        self,
        lengths: NDArray[np.int64],
        *,
        batch_size: int,
        seed: int,
        max_tokens: int | None = None,
        parts: int = 1,
    ) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.max_tokens = max_tokens
        self.parts = parts
        self.epoch = 0
        self.skip = 0  # batches of the next epoch that an earlier, killed run has done already

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch's shuffle; Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        _, devices = _rank_and_devices()
        return -(-len(self.batches(0)) // devices)

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        rank, devices = _rank_and_devices()
        batches = self.batches(self.epoch)
        batches += batches[: -len(batches) % devices]  # every device gets the same number
        skip, self.skip = self.skip, 0
        yield from batches[rank::devices][skip:]

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the batches of an epoch, each an array of indices into `lengths`."""
        random = np.random.default_rng((self.seed, epoch))
        order = random.permutation(len(self.lengths))
        # With a limit of tokens, the number of batches is the same in every epoch only if all rows are sorted together
        pool = len(order) if self.max_tokens else self.batch_size * POOL_BATCHES
        batches: list[NDArray[np.int64]] = []
        for start in range(0, len(order), pool):
            rows = order[start : start + pool]
            rows = rows[np.argsort(self.lengths[rows], kind="stable")]
            batches += np.split(rows, self._cuts(rows, random))
        batches = [batches[index] for index in random.permutation(len(batches))]
        if epoch == 0:
            largest = int(np.argmax([len(batch) * self.lengths[batch].max() for batch in batches]))
            batches[0], batches[largest] = batches[largest], batches[0]
        return self._in_parts(batches) if self.parts > 1 else batches

    def _cuts(self, rows: NDArray[np.int64], random: np.random.Generator) -> Sequence[int] | NDArray[np.int64]:
        """Return where to cut sorted rows; the short batch is at a random place, so that its rows have any length."""
        if self.max_tokens:
            return cuts_by_tokens(self.lengths[rows], self.batch_size, self.max_tokens)
        sizes = [self.batch_size] * (len(rows) // self.batch_size)
        if remainder := len(rows) % self.batch_size:
            sizes.insert(int(random.integers(len(sizes) + 1)), remainder)
        return np.cumsum(sizes)[:-1]

    def _in_parts(self, batches: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
        """Return the parts of all batches; a batch with fewer rows than `parts` comes last."""
        batches = sorted(batches, key=lambda batch: len(batch) < self.parts)
        parts = [batch[part :: self.parts] for batch in batches for part in range(self.parts)]
        return [part for part in parts if len(part)]


def cuts_by_tokens(lengths: NDArray[np.int64], batch_size: int, max_tokens: int) -> list[int]:
    """Return where to cut rows sorted by length, up or down, so that no padded batch has more than `max_tokens`.

    A row of more tokens than that is a batch of its own.
    """
    cuts, start = [], 0
    for row, length in enumerate(lengths):
        longest = max(int(lengths[start]), int(length))
        if row > start and (row - start == batch_size or (row - start + 1) * longest > max_tokens):
            cuts.append(row)
            start = row
    return cuts


def val_batches(lengths: NDArray[np.int64], batch_size: int, max_tokens: int | None = None) -> list[NDArray[np.int64]]:
    """Return the rows once, longest first, in batches `VAL_BATCH_FACTOR` times as large as those of train."""
    order = np.argsort(-lengths, kind="stable")
    tokens = (max_tokens or batch_size * int(lengths.max())) * VAL_BATCH_FACTOR
    return np.split(order, cuts_by_tokens(lengths[order], batch_size * VAL_BATCH_FACTOR, tokens))


def _rank_and_devices() -> tuple[int, int]:
    """Return the number of this process's device (from 0), and the number of devices."""
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1
