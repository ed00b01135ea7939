"""Which weights are trained: the model's blocks, and the blocks that each method fixes."""

from collections.abc import Iterator

from torch import nn
from transformers import PreTrainedModel

from stages.errors import TrainingError
from stages.model.layers import layers_of

HEAD = "head"
EMBEDDINGS = "embeddings"
REST = "rest of the encoder"
EMBEDDING_NAMES = ("embed", "wte", "wpe")


def blocks_of(model: PreTrainedModel) -> dict[str, list[nn.Parameter]]:
    """Return the model's parameters by block: embeddings, each layer, the rest of the encoder, head."""
    block = {id(p): f"layer {index}" for index, layer in enumerate(layers_of(model)) for p in layer.parameters()}
    for name, parameter in model.base_model.named_parameters():
        embeds = any(part in name for part in EMBEDDING_NAMES)
        block.setdefault(id(parameter), EMBEDDINGS if embeds else REST)
    found: dict[str, list[nn.Parameter]] = {}
    for parameter in model.parameters():
        found.setdefault(block.get(id(parameter), HEAD), []).append(parameter)
    return found


def fix_encoder(model: PreTrainedModel) -> None:
    """Fix everything but the head."""
    for parameter in model.base_model.parameters():
        parameter.requires_grad_(False)
    set_modes(model)


def fix_lowest(model: PreTrainedModel, frozen_layers: int) -> None:
    """Fix the embeddings and the lowest layers.

    Args:
        model: An encoder with its head.
        frozen_layers: How many layers are fixed (0: the embeddings alone).

    Raises:
        TrainingError: The encoder has fewer layers.
    """
    blocks, layers = blocks_of(model), len(layers_of(model))
    if frozen_layers > layers:
        raise TrainingError(
            f"finetune.frozen_layers is {frozen_layers}, but this {model.config.model_type} has {layers} layers with "
            f"weights of their own. Set it to {layers} or less."
        )
    for name in (EMBEDDINGS, *(f"layer {index}" for index in range(frozen_layers))):
        for parameter in blocks.get(name, []):
            parameter.requires_grad_(False)
    set_modes(model)


def unfix(model: PreTrainedModel) -> None:
    """Train everything from here on."""
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.ndim > 0)  # a scalar is a count of ours
    set_modes(model)


def set_modes(model: nn.Module) -> None:
    """Put modules with a trained weight in train mode and fixed ones in eval mode, where dropout is off."""
    for _, module, trained in _expected_modes(model):
        module.training = trained


def wrong_modes(model: nn.Module) -> list[str]:
    """Return the names of the modules that are not in the mode that `set_modes` gives them."""
    return [name or "the model" for name, module, trained in _expected_modes(model) if module.training != trained]


def check_something_trains(model: nn.Module) -> None:
    """Raise TrainingError when every weight is fixed."""
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise TrainingError("Nothing is left to train: every weight is fixed. Set finetune.method to another method.")


def _expected_modes(model: nn.Module, name: str = "", above: bool = True) -> Iterator[tuple[str, nn.Module, bool]]:
    """Yield each module with its mode; one without weights, such as dropout, follows the module that holds it."""
    weights = [parameter.requires_grad for parameter in model.parameters()]
    trained = any(weights) if weights else above
    yield name, model, trained
    for child_name, child in model.named_children():
        yield from _expected_modes(child, f"{name}.{child_name}".lstrip("."), trained)
