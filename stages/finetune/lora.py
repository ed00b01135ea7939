"""LoRA: small matrices beside frozen ones, trained with the head and merged into plain weights at the end."""

import logging
from collections.abc import Sequence

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D  # the linear layer of GPT-2

from stages.errors import TrainingError
from stages.finetune.methods import freeze_encoder, set_modes
from stages.messages import NAMES, examples
from stages.model_fit import POOLER
from stages.schema import Lora

log = logging.getLogger(__name__)

# For architectures without targets in peft: query and value, as in the paper.
OWN_TARGETS = {
    "distilbert": ["q_lin", "v_lin"],
    "albert": ["query", "value"],
    "electra": ["query", "value"],
    "modernbert": ["Wqkv"],
}


def add_lora(model: PreTrainedModel, options: Lora) -> None:
    """Freeze the encoder and put trained low-rank matrices beside some of its linear layers, in place.

    Args:
        model: An encoder with its head; the head trains as a whole.
        options: Rank, scale, dropout and target layers of the matrices; `auto` takes peft's targets, or
            all linear layers of the encoder where peft has none for its architecture.

    Raises:
        TrainingError: The encoder has no linear layers, or none of such a name.

    Source: Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021.
    """
    from peft import LoraConfig, LoraModel  # takes a second, which other methods need not spend

    names = _targets(model, options.target_modules)
    freeze_encoder(model)
    config = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,  # type: ignore[arg-type]
        lora_dropout=options.dropout,
        target_modules=names,
        exclude_modules=rf"{POOLER}(\..*)?" if getattr(model.base_model, POOLER, None) is not None else None,
    )
    head = [parameter for parameter in model.parameters() if parameter.requires_grad]
    LoraModel(model.base_model, config, "default")
    for parameter in head:  # peft freezes all but its own
        parameter.requires_grad_(True)
    set_modes(model)


def merge_lora(model: PreTrainedModel) -> None:
    """Add the low-rank products to the frozen weights and remove the matrices: the model is a plain one again."""
    from peft.tuners.lora import LoraLayer

    layers = {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}
    for layer in layers.values():
        layer.merge(safe_merge=True)
    for name, layer in layers.items():
        if not any(
            name.startswith(f"{outer}.") for outer in layers
        ):  # one may lie in another, as in DeepSeek's experts
            model.set_submodule(name, layer.get_base_layer())


def _targets(model: PreTrainedModel, target_modules: str | Sequence[str]) -> list[str]:
    """Return names of linear layers, whole or their ends."""
    from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as BY_ARCHITECTURE

    present = _linear_layers(model)
    ends = sorted({name.rsplit(".", 1)[-1] for name in present})
    kind = model.config.model_type
    if not present:
        raise TrainingError(
            f"finetune.method is lora, but {kind} has no linear layers. Set finetune.method to another method."
        )
    if target_modules != "auto":
        names = [target_modules] if isinstance(target_modules, str) else list(target_modules)
        if missing := [name for name in names if name not in ends]:
            raise TrainingError(
                f"finetune.lora.target_modules contains [{examples(missing)}], but {kind} has no "
                f"such linear layers. Choose from [{examples(ends, most=NAMES)}]."
            )
        return names
    targets = BY_ARCHITECTURE.get(kind) or OWN_TARGETS.get(kind, [])
    if names := [name for name in targets if name in ends]:
        return names
    plain = [name for name, module in present.items() if type(module) in (nn.Linear, Conv1D)]  # no router of experts
    log.info(
        "lora: peft has no default targets for %s, so all %d linear layers of its encoder get adapters",
        kind,
        len(plain),
    )
    return plain


def _linear_layers(model: PreTrainedModel) -> dict[str, nn.Module]:
    """Return the encoder's linear layers by name, without a pooler's: it trains as a whole or not at all."""
    layers = {name: layer for name, layer in model.base_model.named_modules() if isinstance(layer, nn.Linear | Conv1D)}
    return {name: layer for name, layer in layers.items() if name.partition(".")[0] != POOLER}
