"""Products of matrices in bf16 on a CPU that has units for them, several times as fast as in float32.

A model's encoder computes its linear layers so, and all else in float32: sums, norms, attention's softmax and the head.
Rounding makes last bits into the third digit: so rows are to be computed without padding, which changes last bits.
"""

import logging
import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from stages.model.layers import layers_of

log = logging.getLogger(__name__)

# Asked of the processor and not measured, so that a machine always gives the same answer.
UNITS = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16"}  # Intel's tiles; AMD's since Zen 4, Intel's since Cooper Lake
# Values of these variables, which limit the library that multiplies in bf16, that leave the units unused
LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
WITHOUT_UNITS = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"}
TRIED_TOKENS = 4


def bf16_units() -> str | None:
    """Return the name of the processor's units, the fastest if there are several; None: it has none, or may not."""
    if any(os.environ.get(name, "").upper() in WITHOUT_UNITS for name in LIMITS):
        return None
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # an older torch can't be asked
    return next((name for key, name in UNITS.items() if capabilities.get(key)), None)


class Bf16Linear(nn.Linear):
    """A linear layer with weights in bf16 between vectors in float32."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (as nn.Linear names it)
        """Return the output in the input's precision, (..., out_features)."""
        return super().forward(input.to(self.weight.dtype)).to(input.dtype)


class Bf16Conv1D(Conv1D):
    """The same of the linear layer of GPT-2 and its kin."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the output in the input's precision, (..., nf)."""
        output: Tensor = super().forward(x.to(self.weight.dtype))  # type: ignore[no-untyped-call]
        return output.to(x.dtype)


LAYERS: dict[type[nn.Module], type[nn.Module]] = {nn.Linear: Bf16Linear, Conv1D: Bf16Conv1D}


@torch.no_grad()
def multiply_in_bf16(model: PreTrainedModel) -> Callable[[], None] | None:
    """Let a model on the CPU compute the linear layers of its encoder in bf16, in place, where it can.

    An architecture that multiplies with a layer's weights itself may not be able to: it is tried, and stays in float32.
    So does one whose layers have no linear ones.

    Args:
        model: In float32 and in eval mode.

    Returns:
        What puts the weights of before back, and holds them until then; None: it can't.
    """
    if not any(type(module) in LAYERS for layer in layers_of(model) for module in layer.modules()):
        return None
    layers = [module for module in model.base_model.modules() if type(module) in LAYERS]
    before = {layer: (type(layer), [weight.data for weight in layer.parameters()]) for layer in layers}

    def undo() -> None:
        for layer, (kind, weights) in before.items():
            layer.__class__ = kind
            for weight, values in zip(layer.parameters(), weights, strict=True):
                weight.data = values

    computes = False
    try:
        for layer in layers:
            layer.__class__ = LAYERS[type(layer)]
            layer.to(torch.bfloat16)
        computes = _computes(model)
    finally:
        if not computes:
            undo()
    if not computes:
        log.info("%s can't compute in bf16 on a CPU, so it computes in float32", model.config.model_type)
    return undo if computes else None


def multiplies_in_bf16(model: PreTrainedModel) -> bool:
    """Return whether `multiply_in_bf16` has changed the model."""
    return any(type(module) in LAYERS.values() for module in model.modules())


def _computes(model: PreTrainedModel) -> bool:
    end = getattr(model.config, "eos_token_id", None)  # some heads read it
    last = end if isinstance(end, int) and 0 <= end < int(model.config.vocab_size) else 0
    ids = torch.tensor([[0] * (TRIED_TOKENS - 1) + [last]])
    try:
        outputs: Any = model(input_ids=ids, attention_mask=torch.ones_like(ids))
    except Exception as error:  # noqa: BLE001  (what a model raises is not known; float32 then says what is wrong)
        log.debug("tried in bf16: %s", error)
        return False
    return bool(torch.isfinite(outputs.logits).all())
