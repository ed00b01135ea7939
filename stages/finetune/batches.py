"""Batches of rows of like length, padded to their own longest row: shuffled for train, in length order for val."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from stages.tokens import Tokens, batches_by_length

Batch = dict[str, Tensor]

POOL_BATCHES = 50  # rows are sorted by length within this many batches: few padding tokens, and still a shuffle
VAL_BATCH_FACTOR = 4  # without gradients a larger batch fits in the same memory


class PaddedBatches(Dataset[Batch]):
    """The rows of one split; an index is an array of rows and an item a whole padded batch.

    Args:
        tokens: The tokens of all rows.
        positions: Rows of this split; shape (rows,).
        pad_token_id: Fills the rows of a batch to its longest.
    """

    def __init__(self, tokens: Tokens, positions: NDArray[np.int64], *, pad_token_id: int) -> None:
        self.tokens = tokens
        self.positions = positions
        self.pad_token_id = pad_token_id

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, rows: NDArray[np.int64]) -> Batch:
        batch = self.tokens.pad(self.positions[rows], pad_token_id=self.pad_token_id)
        return {name: torch.from_numpy(values) for name, values in batch.items()}


class LengthBuckets(Sampler[NDArray[np.int64]]):
    """Every row once per epoch, in batches of rows of like length, in an order that only seed and epoch decide.

    Args:
        lengths: Tokens in each row; shape (rows,).
        batch_size: Rows per batch; one batch of an epoch has the rest.
        seed: Of the shuffle.
    """

    def __init__(self, lengths: NDArray[np.int64], *, batch_size: int, seed: int) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the shuffle; Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        yield from self.batches(self.epoch)

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the batches of an epoch, each an array of indices into `lengths`."""
        random = np.random.default_rng((self.seed, epoch))
        order = random.permutation(len(self.lengths))
        pool = self.batch_size * POOL_BATCHES
        batches: list[NDArray[np.int64]] = []
        for start in range(0, len(order), pool):
            rows = order[start : start + pool]
            rows = rows[np.argsort(self.lengths[rows], kind="stable")]
            batches += np.split(rows, self._cuts(len(rows), random))
        return [batches[index] for index in random.permutation(len(batches))]

    def _cuts(self, rows: int, random: np.random.Generator) -> NDArray[np.int64]:
        """Where to cut `rows` rows: the short batch stands anywhere, so that no length is always in it."""
        sizes = [self.batch_size] * (rows // self.batch_size)
        if rest := rows % self.batch_size:
            sizes.insert(int(random.integers(len(sizes) + 1)), rest)
        return np.cumsum(sizes)[:-1]


def train_loader(
    tokens: Tokens, positions: NDArray[np.int64], *, batch_size: int, pad_token_id: int, seed: int
) -> DataLoader[Batch]:
    """Return batches of rows of like length, shuffled anew each epoch."""
    rows = PaddedBatches(tokens, positions, pad_token_id=pad_token_id)
    return DataLoader(
        rows, batch_size=None, sampler=LengthBuckets(tokens.lengths[positions], batch_size=batch_size, seed=seed)
    )


def val_loader(
    tokens: Tokens, positions: NDArray[np.int64], *, batch_size: int, pad_token_id: int
) -> DataLoader[Batch]:
    """Return the rows once, longest first, in batches `VAL_BATCH_FACTOR` times as large as those of train."""
    rows = PaddedBatches(tokens, positions, pad_token_id=pad_token_id)
    batches = batches_by_length(tokens.lengths[positions], batch_size * VAL_BATCH_FACTOR)
    return DataLoader(rows, batch_size=None, sampler=batches)
