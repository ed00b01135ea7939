"""The head of a classifier: what starts anew beside a source's encoder, and heads of ours.

Ours has a hidden layer, or reads another vector than the architecture's own (see `pooling`). transformers' own classes
have no such head: config.json of a saved model names it (`retune_head`). Its weights have shapes that transformers
alone refuses to load; it would otherwise start with a random head.
"""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, PretrainedConfig, PreTrainedModel

from stages.errors import ModelError
from stages.messages import examples
from stages.model.pooling import PooledHead, Pooling, pool_anew, set_own_pooling, vector_width
from stages.model.pretrained import read_config, read_weights
from stages.model_fit import POOLER, Fit, output_layer

TASK_KEYS = ("problem_type", "finetuning_task", "task_specific_params", "retune_head")  # of config.json, beside labels
OF_LABELS = re.compile(r"label|class_weight|threshold|calibrat|temperature")  # in a key that transformers doesn't have


def forget_task(config: PretrainedConfig) -> None:
    """Remove from a config what describes the task that its model was tuned for, except its labels."""
    known = vars(type(config)())
    strange = [key for key in vars(config) if key not in known and not key.startswith("_")]
    for key in (*TASK_KEYS, *filter(OF_LABELS.search, strange)):
        vars(config).pop(key, None)
    if getattr(config, "is_decoder", False):  # a language model of an encoder's kind, whose first token sees no other
        config.is_decoder = bool(getattr(type(config)(), "is_decoder", False))


@torch.no_grad()
def start_head_anew(model: PreTrainedModel, source: Fit) -> None:
    """Draw new weights for the head, as transformers does for weights that a file lacks.

    Args:
        model: From `from_pretrained`, with whatever its source had for a head.
        source: What the source has beside the encoder. A pooler that it lacks belongs to the head; see `new_pooler`.
    """
    marked: Any = model
    marked.retune_source = source
    pooler = new_pooler(model)
    kept = set(model.base_model.modules()) - (set() if pooler is None else set(pooler.modules()))
    for prefix, module in model.named_modules():
        if module in kept:
            continue
        names = {f"{prefix}.{name}".lstrip("."): own for name, own in module.named_parameters(recurse=False)}
        anew: list[Any] = [module, *(own for name, own in names.items() if name not in source.of_language_model)]
        for part in anew:
            part._is_hf_initialized = False
    model.initialize_weights()  # type: ignore[no-untyped-call]


def source_of(model: PreTrainedModel) -> Fit:
    """Return what the model's source has beside the encoder; nothing where `start_head_anew` has not seen the model."""
    source: Fit = getattr(model, "retune_source", Fit([], [], lacks_pooler=False))
    return source


def new_pooler(model: PreTrainedModel) -> nn.Module | None:
    """Return the pooler if it started anew: it belongs to the head then, and trains whenever the head does.

    A frozen encoder whose head reads no pooler is left without one.
    """
    pooler = getattr(model.base_model, POOLER, None)
    return pooler if source_of(model).lacks_pooler and isinstance(pooler, nn.Module) else None


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
        logits: Tensor = self.dropout(self.hidden(features).relu()) @ self.weight.flatten(0, -2).T + self.bias
        return logits


def add_hidden_layer(model: PreTrainedModel, *, hidden: int, dropout: float) -> None:
    """Replace the model's last linear layer by a `HiddenHead`, and note it in the config.

    Raises:
        ModelError: The model has no linear layer outside its encoder.
    """
    output = output_layer(model)
    if output is None:
        raise ModelError(
            f"finetune.head.hidden is {hidden}, but the head of {model.config.model_type} has no linear layer. "
            "Set finetune.head.hidden to null."
        )
    last: Any = model.get_submodule(output)
    head = HiddenHead(last.in_features, hidden, int(model.config.num_labels or 0), dropout)
    if last.bias is None:  # transformers alone would ignore the bias, and take weights of its own width
        head.weight = nn.Parameter(head.weight.detach()[None])
    model.set_submodule(output, head.train(last.training))
    model.config.retune_head = {"hidden": hidden, "dropout": dropout}


def give_head(model: PreTrainedModel, *, pooling: Pooling | None, hidden: int | None, dropout: float) -> None:
    """Give the model the head that is asked for, in place, and note it in the config.

    Args:
        model: A classifier of transformers.
        pooling: What the head reads of the encoder's output; None: what the architecture's own head does.
        hidden: Width of a hidden layer (>= 1); None: no hidden layer.
        dropout: Within a head of ours (0 to 1).

    Raises:
        ModelError: The model has no linear layer outside its encoder.
    """
    if pooling is None or set_own_pooling(model, pooling):
        if hidden is not None:
            add_hidden_layer(model, hidden=hidden, dropout=dropout)
        return
    width, classes = vector_width(model), int(model.config.num_labels or 0)
    plain = PooledHead(width, classes, dropout)
    pool_anew(model, pooling, plain if hidden is None else HiddenHead(width, hidden, classes, dropout))
    model.config.retune_head = {"hidden": hidden, "dropout": dropout, "pooling": pooling}


def load_retune_head(folder: Path) -> PreTrainedModel | None:
    """Load a fine-tuned model whose head is of ours, in eval mode; None for the architecture's own head.

    Raises:
        ModelError: The weights do not fit the config.
    """
    config = read_config(folder)
    head: dict[str, Any] | None = getattr(config, "retune_head", None)
    if head is None:
        return None
    plain: Any = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)]

    def start(self: PreTrainedModel, config: PretrainedConfig) -> None:
        plain.__init__(self, config)
        give_head(self, pooling=head.get("pooling"), hidden=head["hidden"], dropout=head["dropout"])

    # A class, so that transformers itself reads the weights: it ties some, and converts the names of others
    with_head: Any = type(plain.__name__, (plain,), {"__init__": start})
    loaded, report = read_weights(with_head, folder, config, dtype=torch.float32)
    wrong = sorted({*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])})
    if wrong:
        raise ModelError(
            f"{folder}: model.safetensors does not fit config.json ({examples(wrong)}). Fine-tune the model again."
        )
    model: PreTrainedModel = loaded.eval()
    return model
