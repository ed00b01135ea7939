"""Train only the embedding rows whose tokens occur in the data, and write them back at the end.

Exact: a row that no batch reads has no gradient, so AdamW only shrinks it, by `1 - lr * decay` at every step. What
it saves is the gradient of the other rows, their share of its norm, and both of Adam's moments.
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
        # What the rows left out are multiplied with, so far. A parameter and not a buffer: averaged with the weights
        self.shrunk = nn.Parameter(torch.ones((), dtype=torch.float64), requires_grad=False)
        lookup = torch.full((full.num_embeddings,), -1)
        lookup[used] = torch.arange(len(used))
        self.register_buffer("lookup", lookup, persistent=False)
        self.scale = _scale(full) or 1.0
        self.padding_idx = None if full.padding_idx is None else int(lookup[full.padding_idx])

    def forward(self, input_ids: Tensor) -> Tensor:
        """Return the embeddings, (batch, tokens, width)."""
        rows: Tensor = self.lookup[input_ids]  # type: ignore[index]
        return nn.functional.embedding(rows, self.weight, self.padding_idx) * self.scale


class ShrinkUnused(Callback):
    """Keeps count of the weight decay that the rows left out would have had."""

    def __init__(self, compact: CompactEmbedding) -> None:
        self.compact = compact

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """AdamW decays what has a gradient, before it adds its step."""
        if not self.compact.weight.requires_grad:
            return
        for group in optimizer.param_groups:
            if any(parameter is self.compact.weight for parameter in group["params"]):
                self.compact.shrunk.data *= 1 - group["lr"] * group["weight_decay"]


@dataclass(frozen=True)
class Compacted:
    """A model whose embedding table is cut to the rows in use.

    Args:
        full: The whole table, which is on no device and in no optimizer while training runs.
        compact: What stands in its place.
        holders: The modules that hold the table, by name; more than one if it is tied.
        used: Token ids of the rows in use.
    """

    full: nn.Embedding
    compact: CompactEmbedding
    holders: dict[str, nn.Module]
    used: NDArray[np.int64]

    def describe(self) -> dict[str, float]:
        """Return rows in all, rows in use, and the megabytes that the others would take while training."""
        rows, width = self.full.weight.shape
        saved = (rows - len(self.used)) * width * 4 * SAVED_COPIES / 2**20
        return {"rows": rows, "used": len(self.used), "saved_mb": round(saved, 1)}


def used_ids(tokens: Tokens, positions: NDArray[np.int64], *, size: int, always: list[int]) -> NDArray[np.int64]:
    """Return the token ids that occur in some rows, ascending.

    Args:
        tokens: The tokens of all rows.
        positions: The rows.
        size: Rows of the embedding table.
        always: Ids that count as used, such as the one that pads.
    """
    seen = np.zeros(size, dtype=bool)
    seen[always] = True
    for position in positions:
        seen[tokens.row(int(position))] = True
    return np.flatnonzero(seen)


def compact_vocabulary(
    model: PreTrainedModel, used: NDArray[np.int64], *, even_if_fixed: bool = False
) -> Compacted | None:
    """Put a table of the rows in use where the full one is; None (and no change) where that would gain nothing.

    Nothing is gained when the table is fixed, unless it is unfixed later (`even_if_fixed`). It can't be cut when it is
    of a special kind, or tied to an output.
    """
    full = model.get_input_embeddings()
    if not isinstance(full, nn.Embedding) or not (full.weight.requires_grad or even_if_fixed):
        return None
    modules = dict(model.named_modules(remove_duplicate=False))
    holders = {name: module for name, module in modules.items() if getattr(module, "weight", None) is full.weight}
    if any(_scale(module) != _scale(full) or _scale(module) is None for module in holders.values()):
        log.info("compact_vocabulary: the embedding table is tied to another kind of layer and stays whole")
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
    """Write the trained rows into the full table, shrink the others, and put it back."""
    full, compact = compacted.full, compacted.compact
    full = full.to(compact.weight.device)
    full.weight.mul_(float(compact.shrunk))
    full.weight[torch.from_numpy(compacted.used)] = compact.weight.to(full.weight)
    for name, module in compacted.holders.items():
        module.weight = full.weight
        model.set_submodule(name, module)


def _scale(module: nn.Module) -> float | None:
    """Return what a table's embeddings are multiplied with; None where the module is no table that we know."""
    if type(module) is nn.Embedding:
        return 1.0
    scale = getattr(module, "embed_scale", None)  # BART and its kin
    return float(scale) if isinstance(module, nn.Embedding) and isinstance(scale, float | int) else None
