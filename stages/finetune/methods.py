"""Which weights train: the model's blocks, and the blocks that each method freezes."""

from collections.abc import Iterable, Iterator

from torch import nn
from transformers import PreTrainedModel

from stages.errors import TrainingError
from stages.model.heads import new_pooler
from stages.model.layers import input_embeddings, layers_of

HEAD = "head"
EMBEDDINGS = "embeddings"
REST = "rest of the encoder"
EMBEDDING_NAMES = ("embed", "wpe")  # of positions, types, and the norm after them


def blocks_of(model: PreTrainedModel) -> dict[str, list[nn.Parameter]]:
    """Return the model's parameters by block: embeddings, each layer, the rest of the encoder, head."""
    names = {id(p): f"layer {index}" for index, layer in enumerate(layers_of(model)) for p in layer.parameters()}
    names |= {id(p): HEAD for p in _parameters(new_pooler(model))}
    names |= {id(p): EMBEDDINGS for p in _parameters(input_embeddings(model))}
    for name, parameter in model.base_model.named_parameters():
        embeds = any(part in name for part in EMBEDDING_NAMES)
        names.setdefault(id(parameter), EMBEDDINGS if embeds else REST)
    blocks: dict[str, list[nn.Parameter]] = {}
    for parameter in model.parameters():
        blocks.setdefault(names.get(id(parameter), HEAD), []).append(parameter)
    return blocks


def freeze_encoder(model: PreTrainedModel) -> None:
    """Freeze everything but the head, which a pooler that starts anew belongs to."""
    for parameter in model.base_model.parameters():
        parameter.requires_grad_(False)
    for parameter in _parameters(new_pooler(model)):
        parameter.requires_grad_(True)
    set_modes(model)


def freeze_lowest(model: PreTrainedModel, frozen_layers: int) -> None:
    """Freeze the embeddings and the lowest layers.

    Args:
        model: An encoder with its head.
        frozen_layers: How many layers (0: the embeddings alone).

    Raises:
        TrainingError: The encoder has fewer layers.
    """
    blocks, layers = blocks_of(model), len(layers_of(model))
    if frozen_layers > layers:
        raise TrainingError(
            f"finetune.frozen_layers is {frozen_layers}, but the number of {model.config.model_type}'s layers with "
            f"weights of their own is {layers}. Set finetune.frozen_layers to {layers} or less."
        )
    for name in (EMBEDDINGS, *(f"layer {index}" for index in range(frozen_layers))):
        for parameter in blocks.get(name, []):
            parameter.requires_grad_(False)
    set_modes(model)


def unfreeze(model: PreTrainedModel) -> None:
    """Unfreeze every weight."""
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.ndim > 0)  # a scalar is no weight: CompactEmbedding.shrunk
    set_modes(model)


def set_modes(model: nn.Module) -> None:
    """Put modules with a trained weight in train mode, and frozen modules in eval mode, where dropout is off."""
    for _, module, trained in _expected_modes(model):
        module.training = trained


def wrong_modes(model: nn.Module) -> list[str]:
    """Return the names of the modules whose mode is not the one that `set_modes` gives them."""
    return [name or "the model" for name, module, trained in _expected_modes(model) if module.training != trained]


def check_something_trains(model: nn.Module) -> None:
    """Raise TrainingError if every weight is frozen."""
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise TrainingError("Every weight is frozen, so nothing can train. Set finetune.method to another method.")


def _parameters(module: nn.Module | None) -> Iterator[nn.Parameter]:
    return iter(()) if module is None else module.parameters()


def _expected_modes(model: nn.Module) -> Iterable[tuple[str, nn.Module, bool]]:
    """Return each module once, with its first name and whether it trains; XLM's layers share one activation."""
    modes: dict[nn.Module, tuple[str, nn.Module, bool]] = {}
    for name, module, trained in _places(model):
        first, _, before = modes.get(module, (name, module, False))
        modes[module] = (first, module, trained or before)
    return modes.values()


def _places(model: nn.Module, name: str = "", above: bool = True) -> Iterator[tuple[str, nn.Module, bool]]:
    """Yield each place of a module and whether it trains; one without weights, such as dropout, follows its parent."""
    weights = [parameter.requires_grad for parameter in model.parameters()]
    trained = any(weights) if weights else above
    yield name, model, trained
    for child_name, child in model.named_children():
        yield from _places(child, f"{name}.{child_name}".lstrip("."), trained)
