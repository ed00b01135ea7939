"""Computes what a loaded model gives for rows: with a store in batches of fixed shape, else in batches of any shape.

Without a store a few short texts are answered sooner, and a row's last bits may depend on the rows beside it. So it is
on a GPU with a store, too: there rows are packed, and computed faster than a disk gives them back.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from stages.errors import ModelError
from stages.inference.forward import reads_padding
from stages.kept.context import context_of
from stages.kept.rows import Keeper, compute_rows, shape_tokens
from stages.kept.store import RowStore
from stages.model.bf16 import multiplies_in_bf16
from stages.model.threads import Forward, side_by_side
from stages.tokens import Tokens, batches_by_tokens, of_equal_length

LEAST_TOKENS = 256  # padded tokens of a batch of any shape, where a CPU's threads could share more
BATCH_TOKENS = {"cpu": 1_024, "cuda": 65_536}  # and at most
AHEAD = 2  # batches that a GPU has before it while the result of another is read


class RowComputer:
    """One output of a model for any number of rows.

    Args:
        model: From `load_model`.
        forward: Gives the output for a padded batch.
        what: Names the output, as a part of the keys of kept rows.
        store: Where rows are kept; None: nowhere, and batches have any shape.

    Attributes:
        computed_tokens: Tokens of the rows that were computed so far; those of kept rows are not among them.
    """

    def __init__(self, model: PreTrainedModel, forward: Forward, what: str, *, store: RowStore | None = None) -> None:
        self.computed_tokens = 0
        self._model = model
        self._forward = forward
        self._equal_lengths: bool | None = None  # does the model need rows of equal length? None: not tried yet
        self._any_shape = store is None or model.device.type == "cuda"
        self._keeper = (
            None if self._any_shape or not (store and store.limit) else Keeper(store, context_of(model, what))
        )

    @property
    def keeps(self) -> bool:
        """Whether what was computed is kept."""
        return self._keeper is not None and self._keeper.keeps

    @torch.inference_mode()
    def compute(self, tokens: Tokens, positions: NDArray[np.int64], *, width: int) -> NDArray[np.float32]:
        """Return the output for some rows, in their order; rows with the same tokens are computed once; (rows, width).

        Args:
            tokens: The tokens of all rows.
            positions: Positions of the rows in the tokens; shape (rows,).
            width: Of the output.
        """
        if not len(positions):
            return np.zeros((0, width), dtype=np.float32)
        if self._any_shape:
            values, computed = self._compute_in_any_shape(tokens, positions, width)
        else:
            size = shape_tokens(self._model.device)
            values, computed = compute_rows(
                self._model, self._forward, tokens, positions, batch_tokens=size, keeper=self._keeper
            )
        self.computed_tokens += computed
        return values

    def _compute_in_any_shape(
        self, tokens: Tokens, positions: NDArray[np.int64], width: int
    ) -> tuple[NDArray[np.float32], int]:
        distinct, same_as = tokens.distinct(positions)
        lengths = tokens.lengths[distinct]
        batches = batches_by_tokens(lengths, self._batch_tokens(int(lengths.sum())))
        equal = of_equal_length(batches, lengths)
        if len(equal) > len(batches) and self._needs_equal_lengths(tokens, int(distinct[lengths.argmax()])):
            batches = equal
        pad = self._model.config.pad_token_id or 0
        padded = (tokens.pad(distinct[indices], pad_token_id=pad) for indices in batches)
        outputs: Generator[torch.Tensor]
        if len(batches) == 1:  # all threads share it
            outputs = (self._forward(self._model, batch) for batch in padded)
        else:
            outputs = side_by_side(self._model, self._forward, padded, count=len(batches))
        values = np.empty((len(distinct), width), dtype=np.float32)
        with closing(outputs):
            for indices, rows in read_behind(zip(batches, outputs, strict=True)):
                values[indices] = rows
        return values[same_as], int(lengths.sum())

    def _needs_equal_lengths(self, tokens: Tokens, row: int) -> bool:
        if self._equal_lengths is None:
            # rounding makes the last bits that padding changes into the third digit
            self._equal_lengths = multiplies_in_bf16(self._model) or reads_padding(
                self._model, self._forward, tokens, row
            )
        return self._equal_lengths

    def _batch_tokens(self, total: int) -> int:
        """Return the padded tokens of a batch at most: as many as let each thread of a CPU have one, within limits."""
        most = BATCH_TOKENS[self._model.device.type]
        if self._model.device.type == "cuda":
            return most
        return min(most, max(LEAST_TOKENS, total // torch.get_num_threads()))


def check_finite(values: NDArray[np.float32]) -> None:
    """Check that a model has given numbers.

    Raises:
        ModelError: One is NaN or infinite.
    """
    if not np.isfinite(values).all():
        raise ModelError(
            "The model's outputs are NaN or infinite, so its weights or numbers in its config.json are damaged. "
            "Fetch the model again, or fine-tune it again."
        )


def read_behind(
    results: Iterable[tuple[NDArray[np.int64], torch.Tensor]],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield each batch's rows and values, from a GPU while it works on the batches after it."""
    waiting: deque[tuple[NDArray[np.int64], torch.Tensor, torch.cuda.Event | None]] = deque()
    for indices, values in results:
        done = None
        if values.is_cuda:
            values = values.to("cpu", non_blocking=True)
            done = torch.cuda.Event()  # type: ignore[no-untyped-call]
            done.record()
        waiting.append((indices, values, done))
        if done is None or len(waiting) > AHEAD:
            yield _read(waiting)
    while waiting:
        yield _read(waiting)


def _read(
    waiting: deque[tuple[NDArray[np.int64], torch.Tensor, torch.cuda.Event | None]],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    indices, values, done = waiting.popleft()
    if done is not None:
        done.synchronize()
    return indices, values.numpy()
