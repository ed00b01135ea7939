"""The model as Lightning trains it: loss, metrics, optimizer and schedule."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor, nn
from torchmetrics import MetricCollection
from transformers import PreTrainedModel

from stages.errors import TrainingError
from stages.finetune.acceleration.steps import Steps
from stages.finetune.batches import NOT_FOR_THE_MODEL, STEP_LABELS, TIMES
from stages.finetune.methods import unfreeze, wrong_modes
from stages.finetune.training.optimizer import clip_in_step, make_schedule, parameter_groups
from stages.finetune.training.weighted_mean import WeightedMean
from stages.model.packed import attends_packed
from stages.schema import Finetune
from stages.targets.target import MONITORS, Kind
from stages.targets.training import TRAINING, Training


class FinetuneModule(LightningModule):
    """A sequence classifier of transformers, fine-tuned with the loss of its kind of target and AdamW.

    Args:
        model: Takes input_ids and attention_mask, (batch, tokens), and returns an object with `logits`.
        num_labels: Number of the model's outputs: of classes.
        kind: Of the target.
        learning_rate: The highest of the schedule.
        weight_decay: Of matrices; biases and norms have none.
        layer_decay: A layer's rate is this times the rate of the layer above; 1: all layers have the same.
        schedule: `linear`, `cosine` or `constant`.
        warmup_ratio: Share of all steps (0 to 1) in which the rate rises.
        class_weights: Weight of each class in the loss; None: all weigh the same.
        label_smoothing: Share of the target (0 to 1) that is spread evenly over all classes, in training.
        loss: `auto`, the one of the kind, or another one that it has.
        frozen_epochs: Epochs after which frozen weights train as well; None: they stay frozen.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        num_labels: int,
        kind: Kind = "classes",
        learning_rate: float,
        weight_decay: float,
        layer_decay: float = 1.0,
        schedule: str = "linear",
        warmup_ratio: float = 0.0,
        class_weights: Sequence[float] | None = None,
        label_smoothing: float = 0.0,
        loss: str = "auto",
        frozen_epochs: int | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["model"])
        self.model: Any = model
        self.steps: Steps | None = None  # whole steps, where the device and the options allow
        weights = torch.ones(num_labels) if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("class_weights", weights, persistent=False)
        self.train_loss = WeightedMean()
        self.train_loss.persistent(True)  # so that a checkpoint within an epoch holds it
        self.val_loss = WeightedMean()
        self.val_metrics = MetricCollection(dict(self._training.val_metrics(num_labels)), prefix="val.")

    @property
    def _training(self) -> Training:
        return TRAINING[self.hparams["kind"]]  # not kept: a module of Python can't be copied, as averaging weights does

    @property
    def monitors(self) -> Mapping[str, str]:
        """The metrics that may choose the best epoch, and whether the best is the min or the max."""
        return MONITORS[self.hparams["kind"]]

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the logits, (batch, classes)."""
        inputs = {name: values for name, values in batch.items() if name not in NOT_FOR_THE_MODEL}
        logits: Tensor = self.model(**inputs).logits
        return logits if len(logits) == len(batch["labels"]) else logits[: len(batch["labels"])]  # without fillers

    def forget_batches(self) -> None:
        """Forget the batches of a training that starts anew."""
        for metric in (self.train_loss, self.val_loss, self.val_metrics):
            metric.reset()

    def on_train_start(self) -> None:
        """Do what an epoch's start does: a run that resumes within an epoch has no such start."""
        self.on_train_epoch_start()
        self.steps = self._whole_steps()

    def on_train_end(self) -> None:
        """Let go of the copies of the weights."""
        self.steps = None

    def on_train_epoch_start(self) -> None:
        """Unfreeze the encoder when it is time, and check that dropout is on where weights train.

        Raises:
            TrainingError: A trained module is in eval mode, or a frozen one in train mode.
        """
        frozen_epochs = self.hparams["frozen_epochs"]
        if frozen_epochs is not None and self.current_epoch >= frozen_epochs:
            unfreeze(self.model)
        if wrong := wrong_modes(self.model):
            raise TrainingError(
                f"{len(wrong)} modules are in the wrong mode, the first is {wrong[0]!r}. Trained modules must be in "
                "train mode and frozen ones in eval mode: call stages.finetune.methods.set_modes on the model."
            )

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch, the mean over its rows weighted by class, or its part in the mean of a step."""
        if self.steps is not None:
            loss, losses, weights = self.steps(dict(batch))
            self.train_loss.update(losses, weights)
            return loss
        losses, weights = self._train_losses(self(batch), batch["labels"])
        self.train_loss.update(losses.detach(), weights / batch[TIMES] if TIMES in batch else weights)
        return (losses * weights).sum() / self._total_weight(batch, weights)

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Compute the gradients, where the step has not done all."""
        if self.steps is None:
            super().backward(loss, *args, **kwargs)

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Callable[[], Any] | None = None
    ) -> None:
        """Step, or run the closure alone, in which a whole step does it."""
        if self.steps is None or optimizer_closure is None:
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
            return
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            callback.on_before_optimizer_step(self.trainer, self, optimizer.optimizer)
        optimizer_closure()

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Add a batch to the epoch's metrics."""
        logits = self(batch)
        self.val_loss.update(*self._losses(logits, batch["labels"]))
        self.val_metrics.update(logits, batch["labels"])

    def on_validation_epoch_end(self) -> None:
        """Log the metrics over all rows; a mean of the batches' means would give a short batch too much weight."""
        self.log("val.loss", self.val_loss.compute())
        self.log_dict(self.val_metrics.compute())
        self.val_loss.reset()
        self.val_metrics.reset()

    def configure_optimizers(self) -> Any:
        """Return AdamW, fused where the gradients are not scaled, and a schedule that steps with every batch."""
        groups = parameter_groups(
            self.model,
            learning_rate=self.hparams["learning_rate"],
            weight_decay=self.hparams["weight_decay"],
            layer_decay=self.hparams["layer_decay"],
        )
        if self.hparams["frozen_epochs"] is None:  # no weight is unfrozen later
            groups = [group | {"params": [p for p in group["params"] if p.requires_grad]} for group in groups]
        scaled = self.trainer.scaler is not None  # fused AdamW would undo that itself, after the gradients are clipped
        optimizer = torch.optim.AdamW([group for group in groups if group["params"]], fused=not scaled)
        rates = make_schedule(
            optimizer,
            kind=self.hparams["schedule"],
            steps=int(self.trainer.estimated_stepping_batches),
            warmup_ratio=self.hparams["warmup_ratio"],
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rates, "interval": "step"}}

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clip by norm, also in bf16, where Lightning refuses to clip for a fused optimizer as if it were fp16."""
        plugin = self.trainer.precision_plugin
        if self.device.type == "cpu" and optimizer.defaults["fused"] and gradient_clip_val:
            grads = [weight.grad for weight in self.parameters() if weight.grad is not None]
            clip_in_step(optimizer, grads, gradient_clip_val)
        elif isinstance(plugin, MixedPrecision) and plugin.scaler is None and gradient_clip_val:
            nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)
        else:
            super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def _whole_steps(self) -> Steps | None:
        """Return whole steps for one GPU, bf16 and packed rows, where nothing comes between a step's parts."""
        trainer = self.trainer
        alone = trainer.world_size == trainer.accumulate_grad_batches == 1
        if not alone or self.device.type != "cuda" or trainer.precision != "bf16-mixed":
            return None
        if not attends_packed(self.model) or self.hparams["frozen_epochs"] is not None:
            return None
        if any(getattr(layer, "gradient_checkpointing", False) for layer in self.model.modules()):
            return None  # layers would be computed again with the weights, not with their copies
        optimizer: Any = self.optimizers(use_pl_optimizer=False)
        clip = float(trainer.gradient_clip_val or 0.0)
        return Steps(self.model, self._train_losses, optimizer, gradient_clip=clip)

    def _total_weight(self, batch: dict[str, Tensor], weights: Tensor) -> Tensor:
        """Return what the sum over a batch's rows is divided by: the weight of all rows of the optimizer step.

        So each row counts the same, however the step is divided. Lightning divides by the number of parts, and takes
        the mean over the devices: both are undone here.
        """
        if STEP_LABELS not in batch:
            return weights.sum()
        total = self._weights(batch[STEP_LABELS]).sum()
        return total / (self.trainer.accumulate_grad_batches * self.trainer.world_size)

    def _train_losses(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return self._losses(logits, labels, smoothing=self.hparams["label_smoothing"])

    def _losses(self, logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return each row's loss and its weight, both (batch,)."""
        class_weights: Any = self.class_weights
        losses = self._training.losses(
            logits.float(), labels, loss=self.hparams["loss"], smoothing=smoothing, class_weights=class_weights
        )
        return losses, self._weights(labels)

    def _weights(self, labels: Tensor) -> Tensor:
        class_weights: Any = self.class_weights
        return self._training.weights(labels, class_weights)


def make_module(
    model: PreTrainedModel,
    options: Finetune,
    *,
    kind: Kind = "classes",
    class_weights: Sequence[float] | None = None,
) -> FinetuneModule:
    """Return the module that trains `model` as `options` say."""
    return FinetuneModule(
        model,
        num_labels=int(model.config.num_labels or 0),
        kind=kind,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        layer_decay=options.layer_decay,
        schedule=options.schedule,
        warmup_ratio=options.warmup_ratio,
        class_weights=class_weights,
        label_smoothing=options.label_smoothing,
        loss=options.loss,
        frozen_epochs=options.frozen_epochs if options.method == "gradual" else None,
    )
