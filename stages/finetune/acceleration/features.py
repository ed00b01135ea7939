"""Features of a frozen encoder: it runs once per row, and the epochs train the head alone on what it gave."""

import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedModel

from stages.finetune.acceleration.head_input import HeadInput, evaluated, find_head_input, run_whole, vectors_of
from stages.kept.context import encoder_context
from stages.kept.rows import Keeper, compute_rows, shape_tokens
from stages.kept.store import RowStore, locked
from stages.model.bf16 import multiply_in_bf16
from stages.model.layers import first_token
from stages.model_fit import POOLER
from stages.tokens import Batch, Tokens

log = logging.getLogger(__name__)

TRIED_ROWS = 8  # the longest, and the shortest, to find which vector the head reads


@dataclass(frozen=True)
class Encoded:
    """What a frozen encoder gave for rows, and what that took.

    Args:
        vectors: Of each row what the head reads, before a pooler; shape (rows, width), on the CPU.
        computed_tokens: How many were computed: 0 where all rows were kept.
        seconds: In which they were.
        kept: Whether every row is kept now.
        bf16: Whether products were rounded to bf16.
    """

    vectors: Tensor
    computed_tokens: int
    seconds: float
    kept: bool
    bf16: bool


class FeatureRows(Dataset[dict[str, Tensor]]):
    """The features of one split; the index is an array of row numbers, the item a whole batch.

    Args:
        features: Shape (rows, width).
        labels: Label index of each row; shape (rows,).
        positions: The rows' positions in rows.parquet; shape (rows,).

    Attributes:
        lengths: Tokens in each row, 1; shape (rows,).
    """

    def __init__(self, features: Tensor, labels: NDArray[np.int64], positions: NDArray[np.int64]) -> None:
        self.features = features
        self.lengths = np.ones(len(features), dtype=np.int64)
        self.labels = torch.tensor(labels)
        self.positions = torch.tensor(positions)

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, rows: NDArray[np.int64]) -> dict[str, Tensor]:
        features = self.features[torch.from_numpy(rows)][:, None]  # (batch, 1, width)
        return {"inputs_embeds": features, "labels": self.labels[rows], "rows": self.positions[rows]}


def head_features(
    model: PreTrainedModel,
    tokens: Tokens,
    rows: NDArray[np.int64],
    *,
    pad_token_id: int,
    store: RowStore | None,
    bf16: bool,
) -> tuple[HeadInput, Encoded]:
    """Find what the head reads of a row, and return it for some rows, as `encode` does."""
    longest = rows[np.argsort(-tokens.lengths[rows], kind="stable")]
    batch = tokens.pad(np.concatenate([longest[:TRIED_ROWS], longest[-1:]]), pad_token_id=pad_token_id)
    del batch["labels"]
    tried = {name: torch.from_numpy(values).to(model.device) for name, values in batch.items()}
    head_input = find_head_input(model, tried)
    return head_input, encode(model, tokens, rows, vector=head_input.vector, store=store, bf16=bf16)


@torch.no_grad()
def encode(
    model: PreTrainedModel,
    tokens: Tokens,
    positions: NDArray[np.int64],
    *,
    vector: str,
    store: RowStore | None = None,
    bf16: bool = False,
) -> Encoded:
    """Run the encoder in eval mode, on the model's device; a row that is kept is not computed.

    So another seed, rate or head trains the head alone, and a new row is the only one that is computed. A second
    run at the same time waits for the first.

    Args:
        model: The classifier.
        tokens: The tokens of all rows.
        positions: Positions of at least one row in the tokens; shape (rows,).
        vector: Which vector of a row's; see `find_head_input`.
        store: Where rows are kept; None: nowhere.
        bf16: Multiply in bf16, if the model can; its weights are the same ones afterwards.
    """

    def forward(model: PreTrainedModel, batch: Batch) -> Tensor:
        inputs = {name: torch.from_numpy(values).to(model.device) for name, values in batch.items()}
        return vectors_of(vector, model, run_whole(model, inputs)[0], inputs)

    with ExitStack() as stack:
        stack.enter_context(evaluated(model))
        undo = multiply_in_bf16(model) if bf16 else None
        if undo:
            stack.callback(undo)
        stack.enter_context(first_token(model))
        stack.enter_context(locked(store))
        keeper = None
        if store and store.limit:
            keeper = Keeper(store, encoder_context(model, f"vector: {vector}", without=POOLER))
        batch_tokens = shape_tokens(model.device)
        start = time.perf_counter()
        features, computed = compute_rows(model, forward, tokens, positions, batch_tokens=batch_tokens, keeper=keeper)
        seconds = time.perf_counter() - start
    log.info("frozen: the encoder computed %d of %d tokens", computed, tokens.lengths[positions].sum())
    kept = keeper is not None and keeper.keeps
    return Encoded(torch.from_numpy(features), computed, seconds, kept=kept, bf16=undo is not None)
