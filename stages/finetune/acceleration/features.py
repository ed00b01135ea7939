"""Features of a frozen encoder: it runs once per row, and the epochs train the head alone on what it gave."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPoolingAndCrossAttentions

from stages.errors import ModelError
from stages.files import replace_file, sha256
from stages.model.layers import first_token
from stages.tokens import BATCH_TOKENS, Tokens, batches_by_tokens

log = logging.getLogger(__name__)

TOLERANCE = 1e-3  # between the head's logits from kept features and the whole model's, in float32


class KeptFeatures(nn.Module):
    """Takes the encoder's place, and returns the features that come as `inputs_embeds`, (batch, 1, width)."""

    def __init__(self, pooled: bool) -> None:
        super().__init__()
        self.pooled = pooled

    def forward(
        self, *args: object, inputs_embeds: Tensor, **kwargs: object
    ) -> BaseModelOutputWithPoolingAndCrossAttentions:
        """Return a sequence of one token, whose first token, last token and mean are the same."""
        pooled = inputs_embeds[:, 0] if self.pooled else None
        return BaseModelOutputWithPoolingAndCrossAttentions(last_hidden_state=inputs_embeds, pooler_output=pooled)


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
def encode(model: PreTrainedModel, tokens: Tokens, positions: NDArray[np.int64], *, pad_token_id: int) -> Tensor:
    """Run the encoder in eval mode, on the model's device; rows with the same tokens are computed once.

    Returns:
        The vector of each row that the head reads; shape (rows, width), on the CPU.
    """
    encoder, mode = model.base_model, model.base_model.training
    encoder.eval()
    distinct, same_as = tokens.distinct(positions)
    features = torch.empty(len(distinct), 0)
    with first_token(model):
        for indices in batches_by_tokens(tokens.lengths[distinct], BATCH_TOKENS[model.device.type]):
            batch = tokens.pad(distinct[indices], pad_token_id=pad_token_id)
            del batch["labels"]
            inputs = {name: torch.from_numpy(values).to(model.device) for name, values in batch.items()}
            pooled = _pooled(model, encoder(**inputs), inputs["input_ids"], inputs["attention_mask"]).float().cpu()
            if not features.shape[1]:
                features = torch.empty(len(distinct), pooled.shape[1])
            features[torch.from_numpy(indices)] = pooled
    encoder.train(mode)
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


@contextmanager
def kept_features(model: PreTrainedModel, features: Tensor, sample: dict[str, Tensor]) -> Iterator[None]:
    """Take the encoder out of the model while the block runs: the model then reads features.

    Args:
        model: An encoder with its head.
        features: Features of the rows in `sample`; shape (batch, width).
        sample: A padded batch on which the logits from features are compared with those of the whole model.

    Raises:
        ModelError: The logits differ: the head reads more of the encoder's output than `encode` keeps.
    """
    encoder, prefix = model.base_model, model.base_model_prefix
    mode = model.training
    model.train(False)
    with torch.no_grad():
        expected = model(**sample).logits
        setattr(model, prefix, KeptFeatures(pooled=_has_pooler(encoder)))
        logits = model(inputs_embeds=features[:, None].to(expected.device)).logits
    model.train(mode)
    try:
        if not torch.allclose(logits, expected, atol=TOLERANCE):
            raise ModelError(
                f"finetune.method is frozen, which keeps one vector per row, but the head of {model.config.model_type} "
                "reads more. Set finetune.method to partial, and finetune.frozen_layers to the number of its layers."
            )
        yield
    finally:
        setattr(model, prefix, encoder)


def _pooled(model: PreTrainedModel, output: object, input_ids: Tensor, mask: Tensor) -> Tensor:
    """Return the vector of each row that the head reads, (batch, width)."""
    if (pooled := getattr(output, "pooler_output", None)) is not None:
        return pooled  # type: ignore[no-any-return]
    hidden: Tensor = output.last_hidden_state  # type: ignore[attr-defined]
    if getattr(model.config, "classifier_pooling", "cls") == "mean":
        return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    if hasattr(model, "score"):  # a decoder: only the last token before the padding has read all others
        places = torch.arange(input_ids.shape[1], device=hidden.device)
        last = (places * (input_ids != model.config.pad_token_id)).argmax(1)
        return hidden[torch.arange(len(hidden), device=hidden.device), last]
    return hidden[:, 0]


def _has_pooler(encoder: nn.Module) -> bool:
    return getattr(encoder, "pooler", None) is not None
