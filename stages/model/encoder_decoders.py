"""Encoder-decoders (BART, T5 and their kin) as classifiers: the head reads the decoder at a text's last end token.

transformers' own classes refuse a batch in which one text holds more end tokens than another, which a text with `</s>`
in it does; and T5's encoder alone asks for the decoder's tokens, which its classifier makes of the text's.
"""

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import Seq2SeqSequenceClassifierOutput


def read_last_end(model: PreTrainedModel) -> None:
    """Let an encoder-decoder read the last end token of each text, however many it has, in place; others stay."""
    head = getattr(model, "classification_head", None)
    if not getattr(model.config, "is_encoder_decoder", False) or head is None:
        return
    if isinstance(ends := model.config.eos_token_id, list) and ends:  # transformers' own class compares one number
        model.config.eos_token_id = ends[0]
    model.forward = MethodType(_forward, model)
    if hasattr(model.base_model, "_shift_right"):
        model.base_model.register_forward_pre_hook(_add_decoder_tokens, with_kwargs=True)


def last_end(input_ids: Tensor, end: int) -> Tensor:
    """Return the place of the last end token in each row, (batch,); the first place where a row has none."""
    places = torch.arange(input_ids.shape[1], device=input_ids.device)
    return (places * (input_ids == end)).argmax(1)


def _forward(
    model: Any, input_ids: Tensor, attention_mask: Tensor | None = None, **kwargs: Any
) -> Seq2SeqSequenceClassifierOutput:
    output = model.base_model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False, **kwargs)
    hidden: Tensor = output.last_hidden_state  # (batch, tokens, width)
    ends = last_end(input_ids, model.config.eos_token_id)
    vectors = hidden[torch.arange(len(hidden), device=hidden.device), ends]  # (batch, width)
    return Seq2SeqSequenceClassifierOutput(logits=model.classification_head(vectors))


def _add_decoder_tokens(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if kwargs.get("decoder_input_ids") is None:
        kwargs["decoder_input_ids"] = module._shift_right(kwargs["input_ids"])  # type: ignore[operator]
    return args, kwargs
