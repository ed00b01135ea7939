"""Checkpoints of an unfinished run, under a key of everything that decides its result."""

import hashlib
import importlib.metadata
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping

from stages.files import TEMPORARY, remove_folder, sha256
from stages.finetune.batches import LengthBuckets

LAST = "last.ckpt"
LIBRARIES = ("torch", "lightning", "transformers", "peft")
KEY_LENGTH = 16


def key_of(values: Mapping[str, Any], files: Iterable[Path] = ()) -> str:
    """Return a key of a computation: its values, the bytes of its files and our code, library versions."""
    stages = Path(__file__).parents[2]
    code = sorted([*stages.glob("*.py"), *(stages / "finetune").rglob("*.py"), *(stages / "model").rglob("*.py")])
    parts = {
        "values": values,
        "files": [sha256(path) for path in [*files, *code]],
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:KEY_LENGTH]


def open_folder(checkpoints: Path, seed: int, key: str) -> Path:
    """Return the folder of a run, and remove the folders of this seed's runs with other keys: they can't be resumed."""
    own = checkpoints / f"finetune-{seed}-{key}"
    for folder in checkpoints.glob(f"finetune-{seed}-*"):
        if folder != own:
            remove_folder(folder)
    return own


class Resume(Checkpoint):
    """Saves the whole state after every epoch and every few minutes, and resumes within an epoch.

    Args:
        folder: Where the one checkpoint lies.
        minutes: Between two checkpoints within an epoch (> 0).
        batches: Of train; a resumed run skips those that are done.
    """

    def __init__(self, folder: Path, *, minutes: float, batches: LengthBuckets) -> None:
        self.path = folder / LAST
        self.seconds = minutes * 60
        self.batches = batches
        self.saved = time.monotonic()

    @property
    def previous(self) -> Path | None:
        """The checkpoint of an earlier, killed run; None if there is none."""
        return self.path if self.path.exists() else None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        within = (
            not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch and not trainer.fit_loop._should_accumulate()
        )
        if within and self._due():
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        last = trainer.current_epoch + 1 == trainer.max_epochs
        if not last or self._due():  # what follows the last epoch takes seconds
            self._save(trainer)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        loops = checkpoint["loops"]["fit_loop"]
        progress = loops["epoch_loop.batch_progress"]
        if not progress["is_last_batch"]:
            self.batches.skip = progress["current"]["processed"]
        self.batches.epoch = loops["epoch_progress"]["current"]["processed"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for callback in trainer.callbacks:  # type: ignore[attr-defined]  # EarlyStopping decides after the checkpoint
            if isinstance(callback, EarlyStopping) and callback.wait_count >= callback.patience:
                trainer.should_stop = True

    def _due(self) -> bool:
        return time.monotonic() - self.saved >= self.seconds

    def _save(self, trainer: Trainer) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = self.path.with_suffix(TEMPORARY)
        trainer.save_checkpoint(whole)
        if trainer.is_global_zero:
            whole.replace(self.path)
        self.saved = time.monotonic()


def load_weights(module: LightningModule, path: Path) -> None:
    """Load the weights of a checkpoint into `module`; no code in the file is run."""
    module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["state_dict"])
