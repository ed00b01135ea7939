"""A fine-tune as a plain loop of PyTorch, and the stage's own with the loss of each of its steps."""

import math
import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch import seed_everything
from lightning.pytorch.callbacks import Callback
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from stages.finetune import __main__ as stage
from stages.finetune.batches import LengthBuckets
from stages.finetune.encoder import load_encoder, pad_token_id
from stages.finetune.inputs import read_inputs
from stages.finetune.prepare import apply_method
from stages.finetune.training import fit as training
from stages.model.padding import padding_side
from stages.params import Params
from stages.paths import Paths
from stages.schema import Finetune
from tests.stages.finetune.kinds import kind_model
from tests.stages.finetune.tiny import LABELS

SEED = 7
LAYERS = 2  # of every tiny encoder
KINDS = ["bert", "gpt2", "modernbert", "qwen2", "roberta"]


@dataclass
class Training:
    """What a training did.

    Args:
        losses: Of each optimizer step.
        weights: At its end, by the name that the saved model has for them.
        curve: The loss of each epoch, the mean over its rows, weighted by class.
    """

    losses: list[float] = field(default_factory=list)
    weights: dict[str, Tensor] = field(default_factory=dict)
    curve: list[float] = field(default_factory=list)


def write_kind(paths: Paths, kind: str) -> None:
    """Write a tiny encoder of an architecture, without dropout, in place of the one that is there."""
    for name in ("config.json", "model.safetensors"):
        (paths.encoder / name).unlink()
    model = kind_model(kind)
    for name, value in vars(model.config).items():
        if "drop" in name and isinstance(value, float):
            setattr(model.config, name, 0.0)
    model.base_model.save_pretrained(paths.encoder)


def plain_loop(paths: Paths, options: Finetune, *, class_weights: list[float] | None = None) -> Training:
    """Train with whole steps: warmup, linear or cosine decay, AdamW, clipping, smoothed and weighted cross-entropy."""
    seed_everything(SEED, verbose=False)
    model = load_encoder(paths.encoder, labels=LABELS)
    apply_method(model, options)
    inputs = read_inputs(paths).padded_on(padding_side(model.config))
    lengths, size = inputs.tokens.lengths[inputs.train], options.batch_size
    buckets = LengthBuckets(lengths, batch_size=size, seed=SEED, max_tokens=options.max_tokens_per_batch)
    epochs = [
        [np.concatenate(batches[at : at + options.accumulate_grad_batches]) for at in _starts(batches, options)]
        for batches in map(buckets.batches, range(options.max_epochs))
    ]
    optimizer = torch.optim.AdamW([_group(name, p, options) for name, p in model.named_parameters()])
    highest = [group["lr"] for group in optimizer.param_groups]
    total = sum(map(len, epochs))
    warmup, of_class = round(options.warmup_ratio * total), torch.tensor(class_weights or [1.0] * len(LABELS))
    done, average = Training(), Training()
    for epoch, steps in enumerate(epochs):
        if options.method == "gradual":
            for parameter in model.base_model.parameters():
                parameter.requires_grad_(epoch >= options.frozen_epochs)
        sums = torch.zeros(2)
        for step in steps:
            number = len(done.losses)
            for group, rate in zip(optimizer.param_groups, highest, strict=True):
                left = (total - number) / (total - warmup)
                left = left if options.schedule == "linear" else (1 - math.cos(math.pi * left)) / 2
                group["lr"] = rate * ((number + 1) / (warmup + 1) if number < warmup else left)
            padded = inputs.tokens.pad(inputs.train[step], pad_token_id=pad_token_id(model))
            batch = {name: torch.from_numpy(values) for name, values in padded.items()}
            labels = batch.pop("labels")
            smoothing = options.label_smoothing
            losses = nn.functional.cross_entropy(
                model(**batch).logits, labels, reduction="none", label_smoothing=smoothing
            )
            parts = torch.stack([(losses * of_class[labels]).sum(), of_class[labels].sum()])
            loss, sums = parts[0] / parts[1], sums + parts.detach()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), options.gradient_clip)
            optimizer.step()
            done.losses.append(loss.item())
            decay = options.ema_decay if options.ema_decay and number else 0.0  # the average starts after a step
            for name, parameter in model.named_parameters():
                before = average.weights.get(name, parameter.detach())
                average.weights[name] = decay * before + (1 - decay) * parameter.detach()
        done.curve.append(float(sums[0] / sums[1]))
    done.weights = _merged(model, average.weights)
    return done


class KeepLosses(Callback):
    """Keeps the loss of each part of each optimizer step, and dies if it is told to.

    Args:
        dies_at: Step within which the run ends, once; None: it does not.
    """

    def __init__(self, dies_at: int | None = None) -> None:
        self.dies_at = dies_at
        self.parts: dict[int, dict[int, float]] = {}
        self.step = 0

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Remember which step the batch belongs to, and drop what an earlier try left of it."""
        self.step = trainer.global_step
        if self.step == self.dies_at:
            self.dies_at = None
            raise SystemExit("killed")
        self.parts = {step: parts for step, parts in self.parts.items() if step <= self.step}

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Keep the part's share of the loss of its step."""
        self.parts.setdefault(self.step, {})[batch_idx] = float(outputs["loss"])

    @property
    def losses(self) -> list[float]:
        """The loss of each step."""
        assert list(self.parts) == list(range(len(self.parts))), "a step is missing"
        return [sum(parts.values()) for parts in self.parts.values()]


def stage_training(paths: Paths, params: Params, *, dies_at: int | None = None) -> Training:
    """Run the stage; if it dies at a step, run it again.

    Args:
        paths: With the inputs.
        params: All params.
        dies_at: See `KeepLosses`.
    """
    fit, keep = training.fit, KeepLosses(dies_at)

    def watched(*args: Any, callbacks: list[Any], **kwargs: Any) -> Any:
        return fit(*args, callbacks=[*callbacks, keep], **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stages.finetune.train.fit", watched)
        patch.setattr(training, "load_weights", lambda *_: None)  # the last epoch is compared, best or not
        if dies_at is not None:
            with pytest.raises(SystemExit, match="killed"):
                stage.main(params, paths, SEED)
            assert keep.losses, "it had begun"
            assert any(paths.checkpoints.rglob("last-*.ckpt"))
        stage.main(params, paths, SEED)
    return replace(read_training(paths), losses=keep.losses)


def read_training(paths: Paths) -> Training:
    """Return what a run of the stage wrote; the losses of its steps are not among that."""
    curve = pd.read_csv(paths.curve(SEED)).train_loss
    return Training([], load_file(paths.finetuned(SEED) / "model.safetensors"), list(curve))


def assert_equal(found: Training, expected: Training, *, tolerance: float = 1e-5) -> None:
    """Check that two trainings had the same losses and end with the same weights."""
    assert found.losses == pytest.approx(expected.losses, abs=tolerance)
    assert_same_end(found, expected, tolerance=tolerance)


def assert_same_end(found: Training, expected: Training, *, tolerance: float = 1e-5) -> None:
    """Check that two trainings had the same loss in each epoch, and end with the same weights."""
    assert found.curve == pytest.approx(expected.curve, abs=tolerance)
    assert found.weights.keys() == expected.weights.keys()
    for name, values in expected.weights.items():
        torch.testing.assert_close(
            found.weights[name], values, atol=tolerance, rtol=0, msg=lambda text, name=name: f"{name}: {text}"
        )


def _starts(batches: list[Any], options: Finetune) -> range:
    """Where each optimizer step of an epoch begins."""
    return range(0, len(batches), options.accumulate_grad_batches)


def _group(name: str, parameter: nn.Parameter, options: Finetune) -> dict[str, Any]:
    """AdamW's settings for a parameter: its decay by its shape, and its rate by its depth."""
    layer = re.search(r"\.(\d+)\.", name)
    embeds = any(part in name for part in ("embed", "wte", "wpe"))
    depth = LAYERS - int(layer[1]) if layer else LAYERS + 1 if embeds else 0
    return {
        "params": [parameter],
        "lr": options.learning_rate * options.layer_decay**depth,
        "weight_decay": options.weight_decay if parameter.ndim > 1 else 0.0,
    }


def _merged(model: PreTrainedModel, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with LoRA's products added to those that they stand beside."""
    plain = {name.replace(".base_layer", ""): values for name, values in weights.items() if ".lora_" not in name}
    for name, module in model.named_modules():
        if hasattr(module, "lora_A"):
            lower, upper = (weights[f"{name}.lora_{part}.default.weight"] for part in "AB")
            product = module.scaling["default"] * (upper @ lower)
            turned = isinstance(module.get_base_layer(), Conv1D)
            plain[f"{name}.weight"] = plain[f"{name}.weight"] + (product.t() if turned else product)
    return plain
