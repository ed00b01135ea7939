"""Train only the embedding rows whose tokens occur in the data, and write them back at the end.

The result is exact: a row that no batch reads has no gradient, so AdamW only multiplies it by `1 - lr * decay` at every
step. This saves the unused rows' gradient, its norm, and both of Adam's moments.
"""

import logging
from dataclasses import dataclass

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer
from transformers import PreTrainedModel

from stages.model.layers import input_embeddings
from stages.tokens import Tokens

log = logging.getLogger(__name__)

SAVED_COPIES = 3  # gradient and two moments


class CompactEmbedding(nn.Module):
    """Some rows of an embedding table, addressed by their token ids in the full table.

    Args:
        full: The table.
        used: The token ids that are kept, ascending; shape (rows,).
    """

    def __init__(self, full: nn.Embedding, used: NDArray[np.int64]) -> None:
        super().__init__()
        self.weight = nn.Parameter(full.weight.detach()[used].clone())
        # The factor of the unused rows so far; a parameter, not a buffer, so that it is averaged as weights are
        self.shrunk = nn.Parameter(torch.ones((), dtype=torch.float64), requires_grad=False)
        lookup = torch.full((full.num_embeddings,), -1)
        lookup[used] = torch.arange(len(used))
        self.register_buffer("lookup", lookup, persistent=False)
        self.scale = _scale(full) or 1.0
        # None if no row has it: as an index -1 would be the last row's
        self.padding_idx = int(lookup[full.padding_idx]) if full.padding_idx in used else None

    def forward(self, input_ids: Tensor) -> Tensor:
        """Return the embeddings, (batch, tokens, width)."""
        rows: Tensor = self.lookup[input_ids]  # type: ignore[index]
        return nn.functional.embedding(rows, self.weight, self.padding_idx) * self.scale


class ShrinkUnused(Callback):
    """Keeps the factor by which weight decay would have shrunk the unused rows."""

    def __init__(self, compact: CompactEmbedding) -> None:
        self.compact = compact

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Apply AdamW's decay of this step, which only weights that train have, and a step that is not left out."""
        if not self.compact.weight.requires_grad:
            return
        if trainer.scaler is not None:  # fp16: a step whose gradient is not finite is left out
            grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            if not nn.utils.get_total_norm(grads).isfinite():
                return
        for group in optimizer.param_groups:
            if any(parameter is self.compact.weight for parameter in group["params"]):
                self.compact.shrunk.data *= 1 - group["lr"] * group["weight_decay"]


@dataclass(frozen=True)
class Compacted:
    """A model whose embedding table holds only the rows in use.

    Args:
        full: The whole table; while training runs it stays on the CPU, and out of the optimizer.
        compact: The table in its place.
        holders: The modules that hold the table, by name; more than one if it is tied.
        used: Token ids of the rows in use.
    """

    full: nn.Embedding
    compact: CompactEmbedding
    holders: dict[str, nn.Module]
    used: NDArray[np.int64]

    def stats(self) -> dict[str, float]:
        """Return all rows, rows in use, and the megabytes that the unused rows would take in training."""
        rows, width = self.full.weight.shape
        saved = (rows - len(self.used)) * width * 4 * SAVED_COPIES / 2**20
        return {"rows": rows, "used": len(self.used), "saved_mb": round(saved, 1)}


def used_ids(tokens: Tokens, positions: NDArray[np.int64], *, size: int, always: list[int]) -> NDArray[np.int64]:
    """Return the token ids that occur in some rows, ascending.

    Args:
        tokens: The tokens of all rows.
        positions: The rows.
        size: Rows of the embedding table.
        always: Ids that count as used, such as the padding token's.
    """
    seen = np.zeros(size, dtype=bool)
    seen[always] = True
    for position in positions:
        seen[tokens.row(int(position))] = True
    return np.flatnonzero(seen)


def compact_vocabulary(
    model: PreTrainedModel, used: NDArray[np.int64], *, even_if_frozen: bool = False
) -> Compacted | None:
    """Replace the full table by one of the rows in use; None, and no change, where that gains nothing or can't be done.

    It gains nothing for a frozen table, unless that is unfrozen later (`even_if_frozen`). It can't be done for a table
    of a special class, or one that is tied to an output layer.
    """
    full = input_embeddings(model)
    if not isinstance(full, nn.Embedding) or not (full.weight.requires_grad or even_if_frozen):
        return None
    modules = dict(model.named_modules(remove_duplicate=False))
    holders = {name: module for name, module in modules.items() if getattr(module, "weight", None) is full.weight}
    if any(_scale(module) != _scale(full) or _scale(module) is None for module in holders.values()):
        log.info("compact_vocabulary: the embedding table is tied to a layer of another class, so it stays whole")
        return None
    compact = CompactEmbedding(full, used)
    compact.weight.requires_grad_(full.weight.requires_grad)
    compact.training = full.training
    for name in holders:
        model.set_submodule(name, compact)
    full.to("cpu")
    log.info("compact_vocabulary: %d of %d embedding rows are in use", len(used), full.num_embeddings)
    return Compacted(full, compact, holders, used)


@torch.no_grad()
def restore_vocabulary(model: PreTrainedModel, compacted: Compacted) -> None:
    """Write the trained rows into the full table, decay the unused ones, and put the full table back."""
    full, compact = compacted.full, compacted.compact
    full = full.to(compact.weight.device)
    full.weight.mul_(float(compact.shrunk))
    full.weight[torch.from_numpy(compacted.used)] = compact.weight.to(full.weight)
    for name, module in compacted.holders.items():
        module.weight = full.weight
        model.set_submodule(name, module)


def _scale(module: nn.Module) -> float | None:
    """Return the factor of a table's embeddings; None for a module that is not a known kind of table."""
    if type(module) is nn.Embedding:
        return 1.0
    scale = getattr(module, "embed_scale", None)  # BART and its relatives
    return float(scale) if isinstance(module, nn.Embedding) and isinstance(scale, float | int) else None
