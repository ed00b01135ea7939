"""LoRA: small matrices beside fixed ones, trained with the head and merged into plain weights at the end."""

from collections.abc import Sequence

from torch import nn
from transformers import PreTrainedModel

from stages.errors import TrainingError
from stages.finetune.methods import fix_encoder, set_modes

# For architectures of which peft has no choice: query and value, as in the paper.
OURS = {
    "distilbert": ["q_lin", "v_lin"],
    "albert": ["query", "value"],
    "electra": ["query", "value"],
    "modernbert": ["Wqkv"],
}


def add_lora(
    model: PreTrainedModel, *, rank: int, alpha: float, dropout: float, target_modules: str | Sequence[str]
) -> None:
    """Fix the encoder and put trained low-rank matrices beside some of its linear layers, in place.

    Args:
        model: An encoder with its head; the head is trained as a whole.
        rank: Columns of the matrices (>= 1).
        alpha: Their product is scaled by `alpha / rank`.
        dropout: Of their input (0 to 1).
        target_modules: Last names of the linear layers, or `auto`: peft's choice for the architecture.

    Raises:
        TrainingError: The model has no layer of such a name, or peft knows no choice for its architecture.

    Source: Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021.
    """
    from peft import LoraConfig, LoraModel  # costs a second that other methods need not pay

    names = _targets(model, target_modules)
    fix_encoder(model)
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]
        lora_dropout=dropout,
        target_modules=names,
    )
    head = [parameter for parameter in model.parameters() if parameter.requires_grad]
    LoraModel(model.base_model, config, "default")
    for parameter in head:  # peft fixes all but its own
        parameter.requires_grad_(True)
    set_modes(model)


def merge_lora(model: PreTrainedModel) -> None:
    """Add the low-rank products to the fixed weights and take the matrices out: a plain model again."""
    from peft.tuners.lora import LoraLayer

    for name, layer in [(name, module) for name, module in model.named_modules() if isinstance(module, LoraLayer)]:
        layer.merge(safe_merge=True)
        model.set_submodule(name, layer.get_base_layer())


def _targets(model: PreTrainedModel, target_modules: str | Sequence[str]) -> list[str]:
    from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as BY_ARCHITECTURE

    there = _linear_names(model.base_model)
    if target_modules != "auto":
        names = [target_modules] if isinstance(target_modules, str) else list(target_modules)
        if missing := [name for name in names if name not in there]:
            raise TrainingError(
                f"finetune.lora.target_modules names {missing}, which this {model.config.model_type} does not have. "
                f"It has {there}."
            )
        return names
    choice = BY_ARCHITECTURE.get(model.config.model_type) or OURS.get(model.config.model_type, [])
    names = [name for name in choice if name in there]
    if not names:
        raise TrainingError(
            f"finetune.lora.target_modules is auto, but peft has no choice for {model.config.model_type}. "
            f"Name some of {there}."
        )
    return names


def _linear_names(encoder: nn.Module) -> list[str]:
    from transformers.pytorch_utils import Conv1D  # the linear layer of GPT-2

    names = (name for name, module in encoder.named_modules() if isinstance(module, nn.Linear | Conv1D))
    return sorted({name.rsplit(".", 1)[-1] for name in names})
