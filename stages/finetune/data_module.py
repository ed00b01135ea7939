"""The rows of train and val as Lightning loads them."""

from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from stages.finetune.acceleration.features import FeatureRows
from stages.finetune.batches import STEP_LABELS, TIMES, Batch, LengthBuckets, Part, TokenRows, limited, val_batches
from stages.finetune.devices import Device
from stages.schema import Finetune

Rows = TokenRows | FeatureRows


class StepParts(Dataset[Batch]):
    """The rows of train as batches; the index is a `Part`.

    A part of a larger step has also `step_labels`: the label index of each row of the step, shape (rows of the step,);
    and `times`: how often each of its rows is among them.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __getitem__(self, part: Part) -> Batch:
        batch = self.rows[part.rows]
        if part.step is None:
            return batch
        return batch | {STEP_LABELS: torch.as_tensor(self.rows.labels[part.step]), TIMES: torch.tensor(part.times)}


class FinetuneData(LightningDataModule):
    """Batches of rows of like length: shuffled for train, longest first for val.

    Args:
        train, val: Give a batch for an array of row numbers.
        options: Section finetune of params.yaml.
        device: Where the training runs; for CUDA, batches are copied to memory from which a GPU reads without waiting.
        seed: Of the shuffle.
        num_workers: Processes that prepare batches (0: the training process does); they change no batch.
    """

    def __init__(
        self, train: Rows, val: Rows, options: Finetune, device: Device, *, seed: int, num_workers: int = 0
    ) -> None:
        super().__init__()
        self.train, self.val = train, val
        self.options = options
        self.seed = seed
        self.num_workers, self.pin_memory = num_workers, device.kind == "cuda"
        self.split_batches(1)

    def split_batches(self, parts: int) -> None:
        """Let every batch of train come as `parts` smaller ones, one after the other."""
        options = self.options
        limit = options.limit_train_share if options.limit_train_batches is None else options.limit_train_batches
        self.train_batches = LengthBuckets(
            self.train.lengths,
            batch_size=options.batch_size,
            seed=self.seed,
            max_tokens=options.max_tokens_per_batch,
            parts=parts,
            accumulate=options.accumulate_grad_batches,
            limit=limit,
        )

    def train_dataloader(self) -> DataLoader[Batch]:
        return self._loader(StepParts(self.train), self.train_batches)

    def val_dataloader(self) -> DataLoader[Batch]:
        options = self.options
        rows_per_batch = -(-options.batch_size // self.train_batches.parts)
        batches = val_batches(self.val.lengths, rows_per_batch, options.max_tokens_per_batch)
        limit = options.limit_val_share if options.limit_val_batches is None else options.limit_val_batches
        return self._loader(self.val, limited(batches, limit))

    def tokens_of_epoch(self) -> int:
        """Return the tokens of train in the first epoch, padding not counted; all epochs have about as many."""
        return sum(int(self.train.lengths[batch].sum()) for batch in self.train_batches.batches(0))

    def real_token_share(self) -> float:
        """Return the share (0 to 1) of the tokens in padded batches of train that are not padding."""
        padded = sum(len(batch) * int(self.train.lengths[batch].max()) for batch in self.train_batches.batches(0))
        return float(self.train.lengths.sum()) / padded

    def _loader(self, rows: Dataset[Batch], batches: Any) -> DataLoader[Batch]:
        own = torch.Generator()  # a loader draws from its generator, and must not disturb the one of dropout
        return DataLoader(
            rows,
            batch_size=None,
            sampler=batches,
            num_workers=self.num_workers,
            pin_memory=self.pin_memory,
            generator=own,
        )
