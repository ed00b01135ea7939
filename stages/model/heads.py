"""A classification head with a hidden layer, which transformers' own classes do not have.

A folder with such a head says so in config.json (`retune_head`). transformers alone refuses its weights, whose shapes
differ, instead of starting with a random head.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from stages.errors import ModelError


class HiddenHead(nn.Module):
    """Linear -> ReLU -> dropout -> linear.

    Args:
        width: Of the encoder's vectors.
        hidden: Width between the layers.
        num_labels: Number of classes.
        dropout: Between the layers (0 to 1).
    """

    def __init__(self, width: int, hidden: int, num_labels: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, hidden)
        self.dropout = nn.Dropout(dropout)
        output = nn.Linear(hidden, num_labels)
        self.weight = nn.Parameter(output.weight.detach())
        # (1, classes) instead of (classes,): a plain head of any width refuses it
        self.bias = nn.Parameter(output.bias.detach()[None])

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits, (batch, classes)."""
        logits: Tensor = self.dropout(self.hidden(features).relu()) @ self.weight.T + self.bias
        return logits


def add_hidden_layer(model: PreTrainedModel, *, hidden: int, dropout: float) -> None:
    """Put a `HiddenHead` where the model's last linear layer is, and note it in the config.

    Raises:
        ModelError: The model has no linear layer outside its encoder.
    """
    prefix = model.base_model_prefix + "."
    outputs = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    outputs = [name for name in outputs if not name.startswith(prefix)]
    if not outputs:
        raise ModelError(
            f"finetune.head.hidden: {model.config.model_type} has no linear layer in its head. Set it to null."
        )
    last = model.get_submodule(outputs[-1])
    head = HiddenHead(last.in_features, hidden, int(model.config.num_labels), dropout)  # type: ignore[arg-type]
    model.set_submodule(outputs[-1], head.train(last.training))
    model.config.retune_head = {"hidden": hidden, "dropout": dropout}


def load_hidden_head(folder: Path) -> PreTrainedModel | None:
    """Load a fine-tuned model that has a hidden layer in its head, in eval mode; None where the head is a plain one.

    Raises:
        ModelError: The weights do not fit the config.
    """
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    head: dict[str, Any] | None = getattr(config, "retune_head", None)
    if head is None:
        return None
    model: PreTrainedModel = AutoModelForSequenceClassification.from_config(  # type: ignore[no-untyped-call]
        config, dtype=torch.float32
    )
    add_hidden_layer(model, hidden=head["hidden"], dropout=head["dropout"])
    try:
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"{folder}: model.safetensors does not fit config.json ({reason}).") from error
    model.train(False)
    return model
