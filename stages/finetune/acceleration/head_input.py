"""What a head reads of an encoder's output, found by trying; and a model whose encoder is replaced by just that."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.utils.generic import ModelOutput

from stages.errors import ModelError
from stages.model.encoder_decoders import last_end
from stages.model_fit import POOLER

TOLERANCE = 1e-3  # between the head's logits from one vector per row and the whole model's, in float32


@dataclass(frozen=True)
class HeadInput:
    """What the head reads of the encoder's output.

    Args:
        vector: Which vector of a row's: a name in VECTORS.
        output_class: Class of the encoder's output.
    """

    vector: str
    output_class: type[ModelOutput]


class KeptFeatures(nn.Module):
    """Takes the encoder's place, and returns the features that come as `inputs_embeds`, (batch, 1, width).

    The encoder's pooler stays: it trains where it started anew.

    Args:
        encoder: The encoder.
        output_class: Of what it returns: heads read different parts of that.
    """

    def __init__(self, encoder: nn.Module, output_class: type[ModelOutput]) -> None:
        super().__init__()
        pooler = getattr(encoder, POOLER, None)
        self.pooler = None if isinstance(pooler, nn.Identity) else pooler  # a head of ours reads none
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


def find_head_input(model: PreTrainedModel, sample: dict[str, Tensor]) -> HeadInput:
    """Return the vector that the head reads; arguments as for `closest_vector`.

    Raises:
        ModelError: No single vector does: the head reads more of the encoder's output.
    """
    head_input = closest_vector(model, sample)
    if head_input is None:
        raise ModelError(
            f"finetune.method is frozen, which keeps one vector per row, but the head of {model.config.model_type} "
            "reads more. Set finetune.method to partial, and finetune.frozen_layers to the number of its layers."
        )
    return head_input


@torch.no_grad()
def closest_vector(model: PreTrainedModel, sample: dict[str, Tensor]) -> HeadInput | None:
    """Return the vector, of those there are, that gives the whole model's logits; None: no single one does.

    Args:
        model: An encoder with its head.
        sample: A padded batch of rows that differ in length, on the model's device.
    """
    with evaluated(model):
        output, expected = run_whole(model, sample)
        errors = {}
        for name in _candidates(model, output, sample):
            with kept_features(model, HeadInput(name, type(output))):
                features = vectors_of(name, model, output, sample)
                errors[name] = (model(inputs_embeds=features[:, None]).logits - expected).abs().max().item()
    best = min(errors, key=errors.__getitem__)
    return HeadInput(best, type(output)) if errors[best] <= TOLERANCE else None


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
def evaluated(model: nn.Module) -> Iterator[None]:
    """Turn dropout off while the block runs."""
    modes = {module: module.training for module in model.modules()}
    model.train(False)
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def run_whole(model: PreTrainedModel, inputs: dict[str, Tensor]) -> tuple[Any, Tensor]:
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


def vectors_of(name: str, model: PreTrainedModel, output: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Return a vector per row of the encoder's output, (batch, width)."""
    hidden: Tensor = output.last_hidden_state  # (batch, tokens, width)
    places = VECTORS[name](inputs, model.config)
    if places is None:
        mask = inputs["attention_mask"]
        mean: Tensor = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return mean
    return hidden[torch.arange(len(hidden), device=hidden.device), places]


def _first_place(inputs: dict[str, Tensor], config: PretrainedConfig) -> Tensor:
    return torch.zeros(len(inputs["input_ids"]), dtype=torch.long, device=inputs["input_ids"].device)


def _last_place(inputs: dict[str, Tensor], config: PretrainedConfig) -> Tensor:
    ids = inputs["input_ids"]  # as in transformers, which looks for padding by its id
    return (torch.arange(ids.shape[1], device=ids.device) * ids.ne(config.pad_token_id)).argmax(1)


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
