"""Checkpoints of an unfinished run, under a key of everything that decides its result.

The name of the last checkpoint holds the SHA-256 of its bytes, and the checkpoint that of the best epoch's file, so a
damaged one is noticed: the run then starts over.
"""

import hashlib
import importlib.metadata
import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping, ModelCheckpoint

from stages.files import TEMPORARY, may_replace, remove_folder, remove_path, sha256
from stages.finetune.batches import LengthBuckets

LAST = "last-"
BEST = "best-"
SUFFIX = ".ckpt"
LIBRARIES = ("torch", "lightning", "transformers", "peft")
KEY_LENGTH = 16
EPOCH_SECONDS = (
    30  # since the last checkpoint, until the end of an epoch is worth one: of shorter epochs it took a tenth
)
log = logging.getLogger(__name__)


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


def open_folder(checkpoints: Path, name: str, key: str) -> Path:
    """Return the folder of a run, and remove the folders of its name with other keys: they can't be resumed."""
    own = checkpoints / f"{name}-{key}"
    for folder in checkpoints.glob(f"{name}-*"):
        if folder != own:
            remove_folder(folder)
    return own


class BestEpoch(ModelCheckpoint):
    """Keeps the weights of the best epoch; its state has their digest, and holds in another folder too.

    Args:
        folder: Where the one file lies.
        monitor: Name of the metric that chooses the epoch.
        mode: `min` or `max`.
        weights_only: Save no optimizer.
    """

    def __init__(self, folder: Path, *, monitor: str, mode: str, weights_only: bool) -> None:
        super().__init__(folder, f"{BEST}{{epoch}}", monitor=monitor, mode=mode, save_weights_only=weights_only)

    def state_dict(self) -> dict[str, Any]:
        """See Lightning; with the SHA-256 of the best epoch's file."""
        best = Path(self.best_model_path)
        return super().state_dict() | {"digest": sha256(best) if best.is_file() else None}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See Lightning, which else drops the best epoch where the folder has moved, as it has on another machine."""
        state = state_dict | {"dirpath": self.dirpath}
        for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
            state[name] = self._here(state[name])
        state["best_k_models"] = {self._here(path): score for path, score in state["best_k_models"].items()}
        super().load_state_dict(state)

    def _here(self, path: str) -> str:
        return str(Path(self.dirpath or "", Path(path).name)) if path else ""


class Resume(Checkpoint):
    """Saves the whole state every few minutes, and after an epoch more often, and resumes within an epoch.

    Args:
        folder: Where the one checkpoint lies.
        minutes: Between two checkpoints within an epoch (> 0); after an epoch `EPOCH_SECONDS` are enough.
        batches: Of train; a resumed run skips those that are done.
    """

    def __init__(self, folder: Path, *, minutes: float, batches: LengthBuckets) -> None:
        self.folder = folder
        self.seconds = minutes * 60
        self.batches = batches
        self.saved = time.monotonic()

    def find_previous(self) -> Path | None:
        """The checkpoint of an earlier, killed run; None if there is none that can be used. Others are removed."""
        for path in sorted(_lasts(self.folder), key=lambda path: path.stat().st_mtime_ns, reverse=True):
            if path.stem == f"{LAST}{sha256(path)}" and _best_is_sound(path):
                return path
            log.warning("the checkpoint %s is damaged, so it is not used", path)
        remove_path(self.folder)
        return None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        within = (
            not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch and not trainer.fit_loop._should_accumulate()
        )
        if within and self._due(trainer, self.seconds):
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        last = trainer.current_epoch + 1 == trainer.max_epochs  # what follows it takes seconds
        if self._due(trainer, self.seconds if last else min(self.seconds, EPOCH_SECONDS)):
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

    def _due(self, trainer: Trainer, seconds: float) -> bool:
        """Whether the last checkpoint is that old; all devices agree, because all take part in a checkpoint."""
        due = time.monotonic() - self.saved >= seconds
        return bool(trainer.strategy.reduce_boolean_decision(due, all=False)) if trainer.world_size > 1 else due

    def _save(self, trainer: Trainer) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        whole = self.folder / f"{LAST}{TEMPORARY}"
        trainer.save_checkpoint(whole)
        if trainer.is_global_zero:
            path = self.folder / f"{LAST}{sha256(whole)}{SUFFIX}"
            may_replace()
            whole.replace(path)
            for old in set(_lasts(self.folder)) - {path}:
                old.unlink()
        self.saved = time.monotonic()


def _lasts(folder: Path) -> Iterator[Path]:
    return folder.glob(f"{LAST}*{SUFFIX}")


def _best_is_sound(last: Path) -> bool:
    """Whether the best epoch's file, of which an undamaged checkpoint tells, is what it was."""
    states = torch.load(last, map_location="cpu", weights_only=True, mmap=True)["callbacks"].values()
    for state in [state for state in states if state.get("digest")]:
        best = last.parent / Path(state["best_model_path"]).name
        if best.is_file():
            return bool(sha256(best) == state["digest"])
        return any(last.parent.glob(f"{BEST}*{SUFFIX}"))  # killed after a better epoch was saved: it is trained again
    return True


def load_weights(module: LightningModule, path: Path) -> None:
    """Load the weights of a checkpoint into `module`; no code in the file is run."""
    module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["state_dict"])
