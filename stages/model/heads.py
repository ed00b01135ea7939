"""A classification head with a hidden layer, which transformers' own classes do not have.

config.json of a saved model names such a head (`retune_head`). Its weights have shapes that transformers alone refuses
to load; it would otherwise start with a random head.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from stages.errors import ModelError
from stages.model.outputs import named_outputs


class HiddenHead(nn.Module):
    """Linear -> ReLU -> dropout -> linear.

    Args:
        width: Width of the encoder's vectors.
        hidden: Width of the hidden layer.
        num_labels: Number of classes.
        dropout: Of the hidden layer's output (0 to 1).
    """

    def __init__(self, width: int, hidden: int, num_labels: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, hidden)
        self.dropout = nn.Dropout(dropout)
        output = nn.Linear(hidden, num_labels)
        self.weight = nn.Parameter(output.weight.detach())
        # (1, classes), not (classes,): a plain head refuses it, whatever its width
        self.bias = nn.Parameter(output.bias.detach()[None])

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits, (batch, classes)."""
        logits: Tensor = self.dropout(self.hidden(features).relu()) @ self.weight.T + self.bias
        return logits


def add_hidden_layer(model: PreTrainedModel, *, hidden: int, dropout: float) -> None:
    """Replace the model's last linear layer by a `HiddenHead`, and note it in the config.

    Raises:
        ModelError: The model has no linear layer outside its encoder.
    """
    prefix = model.base_model_prefix + "."
    outputs = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    outputs = [name for name in outputs if not name.startswith(prefix)]
    if not outputs:
        raise ModelError(
            f"finetune.head.hidden is {hidden}, but the head of {model.config.model_type} has no linear layer. "
            "Set finetune.head.hidden to null."
        )
    last = model.get_submodule(outputs[-1])
    head = HiddenHead(last.in_features, hidden, int(model.config.num_labels), dropout)  # type: ignore[arg-type]
    model.set_submodule(outputs[-1], head.train(last.training))
    model.config.retune_head = {"hidden": hidden, "dropout": dropout}


def load_hidden_head(folder: Path) -> PreTrainedModel | None:
    """Load a fine-tuned model whose head has a hidden layer, in eval mode; None for a plain head.

    Raises:
        ModelError: The weights do not fit the config.
    """
    config = named_outputs(AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False))
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
        raise ModelError(
            f"{folder}: model.safetensors does not fit config.json ({reason}). Fine-tune the model again."
        ) from error
    model.train(False)
    return model
