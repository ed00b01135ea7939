"""Batches of rows of like length, padded or packed: shuffled for train, in length order for val."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from stages.finetune.packing import pack
from stages.tokens import Tokens

Batch = dict[str, Tensor]

POOL_BATCHES = 50  # rows are sorted by length within this many batches: few padding tokens, and still a shuffle
VAL_BATCH_FACTOR = 4  # without gradients a larger batch fits in the same memory


class TokenRows(Dataset[Batch]):
    """The rows of one split; an index is an array of rows and an item a whole batch.

    Args:
        tokens: The tokens of all rows.
        positions: Rows of this split; shape (rows,).
        pad_token_id: Fills the rows of a batch to its longest.
        packed_from: Number of a row's first position, to pack batches; None: they are padded.
        filled: Packed batches are filled to one of few lengths.
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
    """Every row once per epoch, in batches of rows of like length, in an order that only seed and epoch decide.

    The first batch of the first epoch is the largest: one that does not fit in memory fails at once.

    Args:
        lengths: Tokens in each row; shape (rows,).
        batch_size: Rows per batch at most; one batch of an epoch has the rest.
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
        self.skip = 0  # batches of the next epoch that a run before this one has done

    def set_epoch(self, epoch: int) -> None:
        """Choose the shuffle; Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.batches(0)) // _devices()[1])

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        mine, devices = _devices()
        batches = self.batches(self.epoch)
        batches += batches[: -len(batches) % devices]  # every device has as many
        skip, self.skip = self.skip, 0
        yield from batches[mine::devices][skip:]

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the batches of an epoch, each an array of indices into `lengths`."""
        random = np.random.default_rng((self.seed, epoch))
        order = random.permutation(len(self.lengths))
        # A limit of tokens cuts the same number of batches every epoch only where all rows are sorted
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
        """Where to cut sorted rows: the short batch stands anywhere, so that no length is always in it."""
        if self.max_tokens:
            return cuts_by_tokens(self.lengths[rows], self.batch_size, self.max_tokens)
        sizes = [self.batch_size] * (len(rows) // self.batch_size)
        if rest := len(rows) % self.batch_size:
            sizes.insert(int(random.integers(len(sizes) + 1)), rest)
        return np.cumsum(sizes)[:-1]

    def _in_parts(self, batches: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
        """Every part is of its batch's length; a batch too short for all its parts comes last."""
        batches = sorted(batches, key=lambda batch: len(batch) < self.parts)
        parts = [batch[part :: self.parts] for batch in batches for part in range(self.parts)]
        return [part for part in parts if len(part)]


def cuts_by_tokens(lengths: NDArray[np.int64], batch_size: int, max_tokens: int) -> list[int]:
    """Return where to cut rows sorted by length, either way, so that no padded batch has more than `max_tokens`.

    A row that has more by itself is a batch of its own.
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


def loader(rows: Dataset[Batch], order: Any, *, num_workers: int = 0, pin_memory: bool = False) -> DataLoader[Batch]:
    """Return a loader of whole batches.

    Args:
        rows: Gives a batch for an array of rows.
        order: The arrays: a `LengthBuckets` or a list.
        num_workers: Processes that prepare batches; they change nothing in what comes.
        pin_memory: Copy batches to memory from which a GPU reads without waiting.
    """
    own = torch.Generator()  # a loader draws from its generator, and must not disturb that of dropout
    return DataLoader(
        rows, batch_size=None, sampler=order, num_workers=num_workers, pin_memory=pin_memory, generator=own
    )


def _devices() -> tuple[int, int]:
    """Return which device this process trains on, and how many there are."""
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1
