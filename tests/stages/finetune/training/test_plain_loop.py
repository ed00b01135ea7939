"""Training equals a plain loop of PyTorch, however an optimizer step is divided."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import LambdaCallback
from torch import nn

from stages.finetune.batches import LengthBuckets, TokenRows
from stages.finetune.training.lightning_module import FinetuneModule
from stages.paths import Paths
from stages.tokens import open_tokens, read_positions
from tests.stages.finetune.runs import build, train
from tests.stages.finetune.tiny import write_encoder

EPOCHS = 2
WEIGHTS = [0.5, 1.0, 3.0]


def plain_loop(
    paths: Paths, model: Any, *, weights: list[float], accumulate: int, batch_size: int, max_tokens: int | None
) -> None:
    """Train with whole steps: linear warmup and decay, AdamW, clipping, smoothed and weighted cross-entropy."""
    rows = TokenRows(open_tokens(paths.tokens), read_positions(paths.split("train")), pad_token_id=0)
    batches = LengthBuckets(rows.lengths, batch_size=batch_size, seed=1, max_tokens=max_tokens)
    steps = [
        np.concatenate(epoch[first : first + accumulate])
        for epoch in map(batches.batches, range(EPOCHS))
        for first in range(0, len(epoch), accumulate)
    ]
    decayed = [p for name, p in model.named_parameters() if p.ndim > 1]
    others = [p for name, p in model.named_parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0}])
    warmup, of_class = round(0.25 * len(steps)), torch.tensor(weights)
    for number, step in enumerate(steps):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * min((number + 1) / (warmup + 1), (len(steps) - number) / (len(steps) - warmup))
        batch = rows[step]
        logits = model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        losses = nn.functional.cross_entropy(logits, batch["labels"], reduction="none", label_smoothing=0.1)
        of_row = of_class[batch["labels"]]
        optimizer.zero_grad()
        ((losses * of_row).sum() / of_row.sum()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()


def out_of_memory(module: FinetuneModule, rows: int) -> None:
    """Let batches of more than some rows fail as on a GPU whose memory is full."""
    step = module.training_step

    def fails(batch: Any, batch_idx: int) -> torch.Tensor:
        if len(batch["labels"]) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(batch, batch_idx)

    module.training_step = fails  # type: ignore[method-assign]


@pytest.mark.parametrize("max_tokens", [None, 90])
@pytest.mark.parametrize("fitting", [100, 7, 2], ids=["whole batches", "in parts", "in many parts"])
@pytest.mark.parametrize("accumulate", [1, 4])
def test_the_weights_are_those_of_a_plain_loop(
    paths: Paths, accumulate: int, fitting: int, max_tokens: int | None
) -> None:
    write_encoder(paths.encoder, dropout=0.0)
    changes: dict[str, Any] = {
        "accumulate_grad_batches": accumulate,
        "batch_size": 13,  # 90 rows: the last batch of an epoch is short, and so is the last step
        "max_tokens_per_batch": max_tokens,
        "label_smoothing": 0.1,
        "weight_decay": 0.1,
        "learning_rate": 1e-3,
        "warmup_ratio": 0.25,
        "gradient_clip": 0.5,
        "max_epochs": EPOCHS,
    }
    module, expected = (build(paths, class_weights=WEIGHTS, **changes) for _ in range(2))
    out_of_memory(module, fitting)
    plain_loop(paths, expected.model, weights=WEIGHTS, accumulate=accumulate, batch_size=13, max_tokens=max_tokens)
    last: dict[str, torch.Tensor] = {}
    keep = LambdaCallback(
        on_train_end=lambda _, module: last.update(copy.deepcopy(dict(module.model.named_parameters())))
    )
    train(paths, module, callbacks=[keep], **changes)
    for name, values in expected.model.named_parameters():
        torch.testing.assert_close(last[name], values, atol=1e-5, rtol=0, msg=lambda text, name=name: f"{name}: {text}")
