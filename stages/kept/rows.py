"""Computes rows in batches of fixed shape, so that a row's bits depend on its tokens alone, and keeps them by content.

A matrix product of another shape may add in another order, and so differ in its last bits. Here a batch has the shape
that its rows' length gives it: rows of exactly that length, which need no padding, and always the same number of them.
Empty places of the last batch hold copies of its rows, which show whether a row's place changes its bits; where it
does, nothing is kept.
"""

import hashlib
import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from stages.kept.store import RowStore
from stages.model.threads import LONG, Forward, side_by_side
from stages.tokens import Batch, Tokens

log = logging.getLogger(__name__)

SHAPE_TOKENS = {"cpu": 256, "cuda": 8_192}  # of a batch; fewer would be slow, and more leave more places empty
ROWS_AT_ONCE = 1_000  # computed between two writes: a run that is killed keeps those before
KEY_BYTES = 16


@dataclass(frozen=True)
class Keeper:
    """Where the rows of one computation are kept.

    Args:
        store: Of the project.
        context: A hash of everything that decides a row's bits but its tokens; see `stages.kept.context`.
    """

    store: RowStore
    context: bytes

    @property
    def unfit(self) -> bytes:
        """Key that says that a row's bits depend on its place here."""
        return self.key(b"unfit")

    @property
    def keeps(self) -> bool:
        """Whether the store has what was computed: not where it can't be written, or where a row's place matters."""
        return self.store.usable and self.unfit not in self.store.get([self.unfit])

    def key(self, *parts: bytes) -> bytes:
        """Return the key of what has these parts."""
        digest = hashlib.blake2b(self.context, digest_size=KEY_BYTES)
        for part in parts:
            digest.update(len(part).to_bytes(8, "little") + part)
        return digest.digest()

    def keys(self, tokens: Tokens, rows: NDArray[np.int64], batch_tokens: int) -> list[bytes]:
        """Return the key of each row, when it is computed in batches of so many tokens.

        Threads share the products of a long row alone, so only there their number can change a bit.
        """
        size, threads = str(batch_tokens).encode(), str(torch.get_num_threads()).encode()
        return [
            self.key(size, threads if tokens.lengths[row] > LONG else b"", *map(bytes, tokens.parts(int(row))))
            for row in rows
        ]


def shape_tokens(device: torch.device) -> int:
    """Return the tokens of a batch of fixed shape."""
    return SHAPE_TOKENS[device.type]


def compute_rows(
    model: PreTrainedModel,
    forward: Forward,
    tokens: Tokens,
    positions: NDArray[np.int64],
    *,
    batch_tokens: int,
    keeper: Keeper | None = None,
) -> tuple[NDArray[np.float32], int]:
    """Return what `forward` gives for some rows, in their order; rows with the same tokens are computed once.

    Args:
        model: In eval mode.
        forward: Of a batch of equal length what is kept of each row.
        tokens: The tokens of all rows.
        positions: Positions of at least one row in the tokens; shape (rows,).
        batch_tokens: Tokens of a batch; a longer row is a batch of its own.
        keeper: Where rows are kept; None: nowhere.

    Returns:
        The values, (rows, width); and how many tokens were computed, 0 where all rows were kept.
    """
    distinct, same_as = tokens.distinct(positions)
    keys = keeper.keys(tokens, distinct, batch_tokens) if keeper else []
    kept = keeper.store.get([keeper.unfit, *keys]) if keeper else {}
    if keeper and keeper.unfit in kept:
        return compute_rows(model, forward, tokens, positions, batch_tokens=batch_tokens)
    missing = np.array(
        [index for index in range(len(distinct)) if not keeper or keys[index] not in kept], dtype=np.int64
    )
    values = _array(kept, keys)
    waiting: dict[bytes, bytes] = {}
    sound = True
    with closing(_computed(model, forward, tokens, distinct[missing], batch_tokens)) as batches:
        for computed, results, sound in batches:
            if values is None:
                values = np.empty((len(distinct), results.shape[1]), dtype=np.float32)
            indices = missing[computed]
            values[indices] = results
            if keeper is None:
                continue
            if not sound:
                break
            waiting |= {keys[index]: row.tobytes() for index, row in zip(indices, results, strict=True)}
            if len(waiting) >= ROWS_AT_ONCE:
                keeper.store.put(waiting)
                waiting = {}
    if keeper and not sound:
        log.warning(
            "on this machine the last bits of a row's result depend on its place in the batch, so computed "
            "rows are not kept"
        )
        keeper.store.put({keeper.unfit: b"1"})
        return compute_rows(model, forward, tokens, positions, batch_tokens=batch_tokens)
    if keeper and waiting:
        keeper.store.put(waiting)
    assert values is not None  # at least one row
    return values[same_as], int(tokens.lengths[distinct[missing]].sum())


def fixed_shapes(lengths: NDArray[np.int64], batch_tokens: int) -> Iterator[NDArray[np.int64]]:
    """Yield indices into `lengths`, longest first: rows of one length, always as many as that length asks for.

    The last batch of each length is filled with its own rows, and of a length that fills a batch, the first one has its
    first row three times. So each length has a row in two places beside each other, which differ where an odd place
    lies otherwise in memory, and mostly in the last place too.
    """
    for length in np.unique(lengths)[::-1]:
        rows, size = np.flatnonzero(lengths == length), max(1, batch_tokens // max(1, int(length)))
        if len(rows) >= size > 1:
            once = max(1, size - 2)
            yield np.concatenate([rows[:1], rows[:once], rows[:1]])[:size]
            rows = rows[once:]
        for start in range(0, len(rows), size):
            yield np.sort(np.resize(rows[start : start + size], size))


def _computed(
    model: PreTrainedModel, forward: Forward, tokens: Tokens, positions: NDArray[np.int64], batch_tokens: int
) -> Generator[tuple[NDArray[np.int64], NDArray[np.float32], bool]]:
    """Yield indices into `positions` with their values, and whether the copies that filled the batch have the same."""
    shapes = list(fixed_shapes(tokens.lengths[positions], batch_tokens))
    batches = (_inputs(tokens, positions[shape]) for shape in shapes)
    with closing(side_by_side(model, forward, batches, count=len(shapes))) as outputs:
        for shape, output in zip(shapes, outputs, strict=True):
            rows, first, same_as = np.unique(shape, return_index=True, return_inverse=True)
            results = output.float().cpu().numpy()
            values = results[first]
            yield rows, values, results.tobytes() == values[same_as].tobytes()


def _inputs(tokens: Tokens, positions: NDArray[np.int64]) -> Batch:
    """Return the tokens of rows of one length, which need no padding."""
    batch = tokens.pad(positions, pad_token_id=0)
    del batch["labels"]
    return batch


def _array(kept: Mapping[bytes, bytes], keys: Sequence[bytes]) -> NDArray[np.float32] | None:
    """Return the kept values at their rows' indices, (rows, width), the others undefined; None where none is kept."""
    known = [index for index, key in enumerate(keys) if key in kept]
    if not known:
        return None
    rows = np.stack([np.frombuffer(kept[keys[index]], np.float32) for index in known])
    values = np.empty((len(keys), rows.shape[1]), dtype=np.float32)
    values[known] = rows
    return values
