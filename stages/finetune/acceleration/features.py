"""Features of a frozen encoder: it runs once per row, and the epochs train the head alone on what it gave."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ModelOutput

from stages.errors import ModelError
from stages.files import replace_file, sha256
from stages.model.encoder_decoders import last_end
from stages.model.layers import first_token
from stages.model_fit import POOLER
from stages.tokens import BATCH_TOKENS, Tokens, batches_by_tokens

log = logging.getLogger(__name__)

CONTENT = "vectors before the pooler"  # of stored features; another name, and they are computed anew
TOLERANCE = 1e-3  # between the head's logits from kept features and the whole model's, in float32


class KeptFeatures(nn.Module):
    """Takes the encoder's place, and returns the features that come as `inputs_embeds`, (batch, 1, width).

    The encoder's pooler stays: it trains where it started anew.

    Args:
        encoder: The encoder.
        output_class: Of what it returns: heads read different parts of that.
    """

    def __init__(self, encoder: nn.Module, output_class: type[ModelOutput]) -> None:
        super().__init__()
        self.pooler = getattr(encoder, POOLER, None)
        self.activation = None
        if isinstance(self.pooler, nn.Linear):  # ALBERT and BigBird have its activation beside it
            self.activation = getattr(encoder, "pooler_activation", None) or getattr(encoder, "activation", None)
        self.output_class = output_class

    def forward(self, *args: object, inputs_embeds: Tensor, **kwargs: object) -> ModelOutput:
        """Return a sequence of one token, whose first token, last token and mean are the same."""
        output = self.output_class(last_hidden_state=inputs_embeds)
        if self.pooler is not None:
            first = inputs_embeds[:, 0] if isinstance(self.pooler, nn.Linear) else inputs_embeds
            pooled = self.pooler(first)
            output["pooler_output"] = pooled if self.activation is None else self.activation(pooled)
        return output


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


@dataclass(frozen=True)
class HeadInput:
    """What the head reads of the encoder's output.

    Args:
        vector: Which vector of a row's: a name in VECTORS.
        output_class: Class of the encoder's output.
    """

    vector: str
    output_class: type[ModelOutput]


@torch.no_grad()
def find_head_input(model: PreTrainedModel, sample: dict[str, Tensor]) -> HeadInput:
    """Return the vector that the head reads: of those there are, the one that gives the whole model's logits.

    Args:
        model: An encoder with its head.
        sample: A padded batch of rows that differ in length, on the model's device.

    Raises:
        ModelError: No single vector does: the head reads more of the encoder's output.
    """
    with _evaluated(model):
        output, expected = _run(model, sample)
        errors = {}
        for name in _candidates(model, output, sample):
            with kept_features(model, HeadInput(name, type(output))):
                features = _vectors(name, model, output, sample)
                errors[name] = (model(inputs_embeds=features[:, None]).logits - expected).abs().max().item()
    best = min(errors, key=errors.__getitem__)
    if not errors[best] <= TOLERANCE:
        raise ModelError(
            f"finetune.method is frozen, which keeps one vector per row, but the head of {model.config.model_type} "
            "reads more. Set finetune.method to partial, and finetune.frozen_layers to the number of its layers."
        )
    return HeadInput(best, type(output))


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
    with _evaluated(model), first_token(model):
        for indices in batches_by_tokens(tokens.lengths[distinct], BATCH_TOKENS[model.device.type]):
            batch = tokens.pad(distinct[indices], pad_token_id=pad_token_id)
            del batch["labels"]
            inputs = {name: torch.from_numpy(values).to(model.device) for name, values in batch.items()}
            vectors = _vectors(vector, model, _run(model, inputs)[0], inputs).float().cpu()
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


@contextmanager
def kept_features(model: PreTrainedModel, head_input: HeadInput) -> Iterator[None]:
    """Take the encoder out of the model while the block runs: the model then reads features, as `inputs_embeds`."""
    encoder, prefix = model.base_model, model.base_model_prefix
    kept = KeptFeatures(encoder, head_input.output_class)
    kept.training = kept.pooler is None or any(parameter.requires_grad for parameter in kept.parameters())
    ends = getattr(model.config, "eos_token_id", None)
    end = (ends[0] if isinstance(ends, list) else ends) or 0

    def add_token(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Some heads look for the end token, or for a row's shape, in input_ids."""
        ids = torch.full(kwargs["inputs_embeds"].shape[:2], end, device=kwargs["inputs_embeds"].device)
        return args, {"input_ids": ids} | kwargs

    setattr(model, prefix, kept)
    handle = model.register_forward_pre_hook(add_token, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
        setattr(model, prefix, encoder)


@contextmanager
def _evaluated(model: nn.Module) -> Iterator[None]:
    """Turn dropout off while the block runs."""
    modes = {module: module.training for module in model.modules()}
    model.train(False)
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _run(model: PreTrainedModel, inputs: dict[str, Tensor]) -> tuple[Any, Tensor]:
    """Return the output of the encoder within the whole model, and the logits: Longformer's head adds a mask for it."""
    outputs: list[Any] = []
    handle = model.base_model.register_forward_hook(lambda module, args, output: outputs.append(output))
    try:
        logits: Tensor = model(**inputs).logits
    finally:
        handle.remove()
    return outputs[0], logits


def _candidates(model: PreTrainedModel, output: Any, inputs: dict[str, Tensor]) -> list[str]:
    """Return the names of the vectors that the head may read."""
    if model.config.is_encoder_decoder:
        return ["end"]
    shortened = output.last_hidden_state.shape[1] != inputs["input_ids"].shape[1]  # Funnel pools tokens
    return ["first"] if shortened else ["first", "last", "mean"]


def _vectors(name: str, model: PreTrainedModel, output: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Return a vector per row of the encoder's output, (batch, width)."""
    hidden: Tensor = output.last_hidden_state  # (batch, tokens, width)
    places = VECTORS[name](inputs, model.config)
    if places is None:
        mask = inputs["attention_mask"]
        return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    return hidden[torch.arange(len(hidden), device=hidden.device), places]


def _first_place(inputs: dict[str, Tensor], config: PretrainedConfig) -> Tensor:
    return torch.zeros_like(inputs["input_ids"][:, 0])


def _last_place(inputs: dict[str, Tensor], config: PretrainedConfig) -> Tensor:
    ids = inputs["input_ids"]  # as in transformers, which looks for padding by its id
    return (torch.arange(ids.shape[1], device=ids.device) * (ids != config.pad_token_id)).argmax(1)


def _last_end(inputs: dict[str, Tensor], config: PretrainedConfig) -> Tensor:
    return last_end(inputs["input_ids"], config.eos_token_id)


def _mean(inputs: dict[str, Tensor], config: PretrainedConfig) -> None:
    return None


VECTORS: dict[str, Callable[[dict[str, Tensor], PretrainedConfig], Tensor | None]] = {
    "first": _first_place,  # BERT and its kin, before their pooler
    "last": _last_place,  # decoders: the last token has read all others
    "end": _last_end,  # encoder-decoders
    "mean": _mean,
}
