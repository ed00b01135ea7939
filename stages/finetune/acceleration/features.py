"""Features of a frozen encoder: it runs once per row, and the epochs train the head alone on what it gave."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedModel

from stages.files import replace_file, sha256
from stages.finetune.acceleration.head_input import evaluated, run_whole, vectors_of
from stages.model.layers import first_token
from stages.tokens import BATCH_TOKENS, Tokens, batches_by_tokens

log = logging.getLogger(__name__)

CONTENT = "vectors before the pooler"  # of stored features; another name, and they are computed anew


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


@torch.no_grad()
def encode(
    model: PreTrainedModel, tokens: Tokens, positions: NDArray[np.int64], *, pad_token_id: int, vector: str
) -> Tensor:
    """Run the encoder in eval mode, on the model's device; rows with the same tokens are computed once.

    Returns:
        The vector of each row that the head reads, before a pooler; shape (rows, width), on the CPU.
    """
    distinct, same_as = tokens.distinct(positions)
    features = torch.empty(len(distinct), 0)
    with evaluated(model), first_token(model):
        for indices in batches_by_tokens(tokens.lengths[distinct], BATCH_TOKENS[model.device.type]):
            batch = tokens.pad(distinct[indices], pad_token_id=pad_token_id)
            del batch["labels"]
            inputs = {name: torch.from_numpy(values).to(model.device) for name, values in batch.items()}
            vectors = vectors_of(vector, model, run_whole(model, inputs)[0], inputs).float().cpu()
            if not features.shape[1]:
                features = torch.empty(len(distinct), vectors.shape[1])
            features[torch.from_numpy(indices)] = vectors
    return features[torch.from_numpy(same_as)]


def stored(path: Path, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the features that an earlier run stored, or compute and store them.

    So another seed, rate or head trains the head alone. A second run at the same time waits for the first.

    Args:
        path: Its stem is a key of everything that decides the features; the name of the file that is written has its
            SHA-256 too, so that damage is noticed. Other files in its folder are removed.
        compute: Returns the features by name of the split.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.parent / "lock"):
        for earlier in path.parent.glob(f"{path.stem}-*{path.suffix}"):
            if earlier.stem == f"{path.stem}-{sha256(earlier)}":
                log.info("frozen: the features of these rows are stored, so the encoder does not run")
                return load_file(earlier)
            log.warning("frozen: %s is damaged, so the encoder runs again", earlier)
        features = compute()
        for old in path.parent.glob("*.safetensors"):
            old.unlink()
        try:
            with replace_file(path) as temporary:
                save_file(features, temporary)
                digest = sha256(temporary)
            path.rename(path.with_stem(f"{path.stem}-{digest}"))
        except (OSError, SafetensorError) as error:
            log.warning("frozen: the features can't be stored for later runs (%s)", error)
        return features
