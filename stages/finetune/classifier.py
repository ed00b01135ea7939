"""The model as Lightning trains it: loss, metrics, optimizer and schedule."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score, MulticlassMatthewsCorrCoef

from stages.errors import TrainingError
from stages.finetune.optimizer import decay_groups, linear_schedule


class Classifier(LightningModule):
    """A sequence classifier of transformers, fine-tuned with cross-entropy and AdamW.

    Args:
        model: Takes input_ids and attention_mask, (batch, tokens), and returns an object with `logits`.
        num_labels: Number of classes.
        learning_rate: The highest of the schedule.
        weight_decay: Of weights; biases and norms have none.
        warmup_ratio: Share of all steps (0 to 1) in which the rate rises.
        class_weights: Weight of each class in the loss; None: all weigh the same.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        num_labels: int,
        learning_rate: float,
        weight_decay: float,
        warmup_ratio: float,
        class_weights: Sequence[float] | None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["model"])
        self.model = model
        weights = torch.ones(num_labels) if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("class_weights", weights, persistent=False)
        self.train_loss = MeanMetric(nan_strategy="disable")  # any other strategy waits for the device at every step
        self.val_loss = MeanMetric(nan_strategy="disable")
        self.val_metrics = MetricCollection(
            {
                "accuracy": MulticlassAccuracy(num_labels, average="micro"),
                "macro_f1": MulticlassF1Score(num_labels, average="macro"),
                "mcc": MulticlassMatthewsCorrCoef(num_labels),
            },
            prefix="val/",
        )

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the logits, (batch, classes)."""
        inputs = {name: values for name, values in batch.items() if name != "labels"}
        logits: Tensor = self.model(**inputs).logits
        return logits

    def on_train_epoch_start(self) -> None:
        """Stop if dropout is off: a module in eval mode trains without a word.

        Raises:
            TrainingError: A module is in eval mode.
        """
        fixed = [name for name, module in self.model.named_modules() if not module.training]
        if fixed:
            raise TrainingError(
                f"{len(fixed)} modules are in eval mode while training, the first is {fixed[0] or 'the model'!r}. "
                "Their dropout is off: call .train() on the model."
            )

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch: the mean over its rows, weighted by class."""
        losses, weights = self._losses(self(batch), batch["labels"])
        self.train_loss.update(losses.detach(), weights)
        return (losses * weights).sum() / weights.sum()

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Add a batch to the epoch's metrics."""
        logits = self(batch)
        self.val_loss.update(*self._losses(logits, batch["labels"]))
        self.val_metrics.update(logits, batch["labels"])

    def on_validation_epoch_end(self) -> None:
        """Log the metrics over all rows: a mean of the batches' means would weigh a short batch too much."""
        self.log("val/loss", self.val_loss.compute())
        self.log_dict(self.val_metrics.compute())
        self.val_loss.reset()
        self.val_metrics.reset()

    def configure_optimizers(self) -> Any:
        """Return fused AdamW and a linear schedule that steps with every batch and ends at 0."""
        hparams: Any = self.hparams
        optimizer = torch.optim.AdamW(
            decay_groups(self.model, hparams.weight_decay), lr=hparams.learning_rate, fused=True
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = linear_schedule(optimizer, steps=steps, warmup_ratio=hparams.warmup_ratio)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _losses(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return each row's cross-entropy and its weight, both (batch,)."""
        weights: Tensor = self.class_weights[labels]  # type: ignore[index]
        return nn.functional.cross_entropy(logits.float(), labels, reduction="none"), weights
