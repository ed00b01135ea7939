"""Batches of rows of like length, padded or packed: shuffled for train, longest first for val."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from stages.finetune.acceleration.packing import pack
from stages.tokens import Tokens

Batch = dict[str, Tensor]

STEP_LABELS = "step_labels"  # of all rows of an optimizer step that has several parts
TIMES = "times"  # how often each row of a part occurs in its step: more than once where a device would have none
NOT_FOR_THE_MODEL = ("labels", "rows", STEP_LABELS, TIMES)

POOL_BATCHES = 50  # rows are sorted by length within this many batches at most: few padding tokens, and still a shuffle
POOLS = 4  # at least, where there are as many batches: one pool would have the same batches in every epoch
TURNS = 4  # ranges of lengths
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
        labels: Label index of each row; shape (rows,).
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
        self.labels = tokens.labels[positions]
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


@dataclass(frozen=True)
class Part:
    """What a device computes at a time: a batch, or a part of an optimizer step of several.

    Args:
        rows: Indices of its rows; shape (rows,).
        step: Indices of all rows of the step, those of other parts and devices included, as often as each of `rows`
            occurs in the step; shape (rows of the step * times,). None: `rows` are the whole step.
        times: How often that is (>= 1).
    """

    rows: NDArray[np.int64]
    step: NDArray[np.int64] | None = None
    times: int = 1


class LengthBuckets(Sampler[Part]):
    """Every row once per epoch, in batches of rows of like length; seed and epoch alone decide the order.

    Rows are shuffled and cut into pools, and a pool's batches come by turns: of long rows, of less long ones, of short
    ones, and again. Length often goes with the label, and many batches in a row that hardly have one of the labels can
    spoil a small training (benchmarks/batches.md).

    With several devices a batch has `batch_size` rows for each: two devices do what one does with twice the batch size.

    Args:
        lengths: Tokens in each row; shape (rows,).
        batch_size: Rows per batch and device at most; one batch of each epoch holds the remainder.
        seed: Of the shuffle.
        max_tokens: Tokens per batch and device at most, padding included; None: no limit.
        parts: Each batch comes as this many smaller ones, one after the other.
        accumulate: Batches per optimizer step.
        limit: As in `limited`.
    """

    def __init__(
        self,
        lengths: NDArray[np.int64],
        *,
        batch_size: int,
        seed: int,
        max_tokens: int | None = None,
        parts: int = 1,
        accumulate: int = 1,
        limit: int | float = 1.0,
    ) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.max_tokens = max_tokens
        self.parts = parts
        self.accumulate = accumulate
        self.limit = limit
        self.epoch = 0
        self.skip = 0  # parts of the next epoch that an earlier, killed run has done already

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch's shuffle; Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.batches(0)) * self.parts

    def __iter__(self) -> Iterator[Part]:
        skip, self.skip = self.skip, 0
        yield from self.parts_of(self.epoch)[skip:]

    def parts_of(self, epoch: int) -> list[Part]:
        """Return what this device computes in an epoch."""
        rank, devices = rank_and_devices()
        pieces = self.parts * devices
        batches = self.batches(epoch)
        if pieces == self.accumulate == 1:
            return [Part(batch) for batch in batches]
        parts: list[Part] = []
        for first in range(0, len(batches), self.accumulate):
            step = batches[first : first + self.accumulate]
            for batch in step:
                times = -(-pieces // len(batch))  # so that every piece of a small batch has a row
                rows, all_rows = np.tile(batch, times), np.tile(np.concatenate(step), times)
                parts += [Part(rows[at + rank :: pieces], all_rows, times) for at in range(0, pieces, devices)]
        return parts

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the batches of an epoch before they are divided, each an array of indices into `lengths`."""
        _, devices = rank_and_devices()
        size = self.batch_size * devices
        random = np.random.default_rng((self.seed, epoch))
        order = random.permutation(len(self.lengths))
        rows_per_pool = self._rows_per_pool(size)
        batches: list[NDArray[np.int64]] = []
        for start in range(0, len(order), rows_per_pool):
            rows = order[start : start + rows_per_pool]
            rows = rows[np.argsort(self.lengths[rows], kind="stable")]
            batches += by_turns(np.split(rows, self._cuts(rows, size, random)), random)
        return limited(batches, self.limit)

    def _rows_per_pool(self, size: int) -> int:
        if self.max_tokens:  # the number of batches is the same in every epoch only if all rows are sorted together
            return len(self.lengths)
        return size * max(1, min(POOL_BATCHES, len(self.lengths) // size // POOLS))

    def _cuts(self, rows: NDArray[np.int64], size: int, random: np.random.Generator) -> Sequence[int] | NDArray[Any]:
        """Return where to cut rows sorted by length."""
        if self.max_tokens:
            return cuts_by_tokens(self.lengths[rows], size, self.max_tokens * (size // self.batch_size))
        sizes = [size] * (len(rows) // size)
        if remainder := len(rows) % size:
            sizes.insert(int(random.integers(len(sizes) + 1)), remainder)
        return np.cumsum(sizes)[:-1]


def by_turns(batches: Sequence[NDArray[np.int64]], random: np.random.Generator) -> list[NDArray[np.int64]]:
    """Return batches, given by length, in an order in which every TURNS in a row have one of each range of lengths."""
    longest_first = np.arange(len(batches))[::-1]
    ranges = [random.permutation(part) for part in np.array_split(longest_first, TURNS)]
    return [batches[part[turn]] for turn in range(len(ranges[0])) for part in ranges if turn < len(part)]


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


def limited(batches: list[NDArray[np.int64]], limit: int | float) -> list[NDArray[np.int64]]:
    """Return the first batches: `limit` of them at most (int), or that share (float, 0 to 1), one or more."""
    return batches[: limit if isinstance(limit, int) else max(1, int(len(batches) * limit))]


def rank_and_devices() -> tuple[int, int]:
    """Return the number of this process's device (from 0), and the number of devices."""
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1
