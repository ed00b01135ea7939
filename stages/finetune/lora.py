"""LoRA: small matrices beside frozen ones, trained with the head and merged into plain weights at the end."""

from collections.abc import Sequence

from torch import nn
from transformers import PreTrainedModel

from stages.errors import TrainingError
from stages.finetune.methods import freeze_encoder, set_modes
from stages.messages import NAMES, examples
from stages.schema import Lora

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
        options: Rank, scale, dropout and target layers of the matrices; `auto` takes peft's targets.

    Raises:
        TrainingError: The model has no layer of such a name, or `auto` has no targets for its architecture.

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
    )
    head = [parameter for parameter in model.parameters() if parameter.requires_grad]
    LoraModel(model.base_model, config, "default")
    for parameter in head:  # peft freezes all but its own
        parameter.requires_grad_(True)
    set_modes(model)


def merge_lora(model: PreTrainedModel) -> None:
    """Add the low-rank products to the frozen weights and remove the matrices: the model is a plain one again."""
    from peft.tuners.lora import LoraLayer

    for name, layer in [(name, module) for name, module in model.named_modules() if isinstance(module, LoraLayer)]:
        layer.merge(safe_merge=True)
        model.set_submodule(name, layer.get_base_layer())


def _targets(model: PreTrainedModel, target_modules: str | Sequence[str]) -> list[str]:
    from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as BY_ARCHITECTURE

    present = _linear_names(model.base_model)
    if target_modules != "auto":
        names = [target_modules] if isinstance(target_modules, str) else list(target_modules)
        if missing := [name for name in names if name not in present]:
            raise TrainingError(
                f"finetune.lora.target_modules contains [{examples(missing)}], but {model.config.model_type} has no "
                f"such linear layers. Choose from [{examples(present, most=NAMES)}]."
            )
        return names
    targets = BY_ARCHITECTURE.get(model.config.model_type) or OWN_TARGETS.get(model.config.model_type, [])
    names = [name for name in targets if name in present]
    if not names:
        raise TrainingError(
            f"finetune.lora.target_modules is auto, but peft has no targets for {model.config.model_type}. "
            f"List linear layers instead, from [{examples(present, most=NAMES)}]."
        )
    return names


def _linear_names(encoder: nn.Module) -> list[str]:
    from transformers.pytorch_utils import Conv1D  # the linear layer of GPT-2

    names = (name for name, module in encoder.named_modules() if isinstance(module, nn.Linear | Conv1D))
    return sorted({name.rsplit(".", 1)[-1] for name in names})
