"""The mean of the weights of several trainings, which differ in the order of their rows and in dropout.

Source: Wortsman et al., Model soups, 2022.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedModel

from stages.files import TEMPORARY, may_replace, remove_path, sha256
from stages.finetune.training.fit import Fitted

MEAN = "mean-"
SUFFIX = ".safetensors"
CLEARLY = 0.05  # as a share of the value; after few epochs the mean may lag by less
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Member:
    """One training of the soup, once it has ended.

    Args:
        fitted: Its outcome.
        timings: Its seconds by part, its epochs and its speed.
        stuck: A sentence, if its loss did not get below that of a constant answer.
    """

    fitted: Fitted
    timings: dict[str, float]
    stuck: str | None


def member_seeds(seed: int, count: int) -> list[int]:
    """Return the seeds of the trainings: the first is `seed` itself."""
    return [seed, *(int(word) for word in np.random.SeedSequence((seed, 1)).generate_state(count - 1))]


class Bowl:
    """The mean of the weights of the trainings that have ended; a file keeps it for a run that is killed.

    Args:
        folder: Where the file lies; its name holds the SHA-256 of its bytes, so a damaged one is noticed.

    Attributes:
        members: In their order.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._weights: dict[str, Tensor] = {}
        self.members: list[Member] = []
        for path in self._files():  # two, where the run was killed before it removed the older
            if not self._read(path):
                log.warning("%s is damaged, so it is not used", path)
                remove_path(path)

    def add(self, model: PreTrainedModel, member: Member) -> None:
        """Add the weights of a training that has ended; a weight that all trainings left alone keeps its bits."""
        share = 1 / (len(self.members) + 1)
        for name, weight in model.named_parameters():
            values = weight.detach().cpu()
            self._weights[name] = self._weights[name].lerp(values, share) if self.members else values.clone()
        self.members.append(member)

    def save(self) -> None:
        """Keep the mean in the file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        whole = self._folder / f"{MEAN}{TEMPORARY}"
        save_file(self._weights, whole, {"members": json.dumps([asdict(member) for member in self.members])})
        path = self._folder / f"{MEAN}{sha256(whole)}{SUFFIX}"
        may_replace()
        whole.replace(path)
        for old in set(self._files()) - {path}:
            remove_path(old)

    def pour(self, model: PreTrainedModel) -> None:
        """Give `model`, one of the members, the mean of the weights."""
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.copy_(self._weights[name])

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"{MEAN}*{SUFFIX}"))

    def _read(self, path: Path) -> bool:
        """Take what a file has, if it has more than is known; return whether it is sound."""
        try:
            if path.stem != f"{MEAN}{sha256(path)}":
                return False
            with safe_open(path, framework="pt") as file:
                members = json.loads(file.metadata()["members"])
                if len(members) > len(self.members):
                    self.members = [Member(**each | {"fitted": Fitted(**each["fitted"])}) for each in members]
                    self._weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        except (OSError, SafetensorError, KeyError, ValueError):
            return False
        return True


def mean_curve(curves: Sequence[Sequence[Mapping[str, float]]]) -> list[dict[str, float]]:
    """Return the mean of the curves' rows, of each epoch over the trainings that had it."""
    longest = max(curves, key=len)
    rows = [[curve[epoch] for curve in curves if epoch < len(curve)] for epoch in range(len(longest))]
    return [{name: float(np.mean([row[name] for row in of_epoch])) for name in of_epoch[0]} for of_epoch in rows]


def outcome(
    members: Sequence[Member], value: float | None, *, mode: str
) -> tuple[Fitted, dict[str, Any], dict[str, float]]:
    """Return what the trainings gave together: a `Fitted` with the mean curve, and entries of stats.json and timings.

    Args:
        members: All.
        value: Of `finetune.monitor`, on val, with the mean of the weights; None for `fast_dev_run`.
        mode: Whether its best is the `min` or the `max`.
    """
    fits = [member.fitted for member in members]
    curve, monitor = mean_curve([fit.curve for fit in fits]), fits[0].monitor
    column = monitor.replace(".", "_")
    ranked = [row for row in curve[: min(len(fit.curve) for fit in fits)] if column in row]
    best = (min if mode == "min" else max)(
        ranked or curve[-1:], key=lambda row: row.get(column, 0.0)
    )  # of epochs that all had
    steps = sum(fit.steps for fit in fits)
    fitted = Fitted(curve, int(best["epoch"]), monitor, value, steps, fits[0].real_tokens)
    each = [{"epochs": len(fit.curve), "best_epoch": fit.best_epoch, "value": fit.best} for fit in fits]
    stuck = next((member.stuck for member in members if member.stuck), None) or apart(members, value, mode=mode)
    stats = {
        "best_epoch": fitted.best_epoch,
        "epochs": len(curve),
        "monitor": {"name": monitor, "value": value},
        "soup": each,
    } | ({"stuck": stuck} if stuck else {})
    summed = [name for name in members[0].timings if name.endswith("_seconds") or name == "epochs"]
    timings = {name: round(sum(member.timings.get(name, 0.0) for member in members), 2) for name in summed}
    return fitted, stats, timings


def apart(members: Sequence[Member], value: float | None, *, mode: str) -> str | None:
    """Return a sentence if the mean of the weights is clearly worse on val than each of its trainings; else None."""
    values = [member.fitted.best for member in members if member.fitted.best is not None]
    if value is None or not values:
        return None
    worst = max(values) if mode == "min" else min(values)
    if (value - worst if mode == "min" else worst - value) <= CLEARLY * abs(worst):
        return None
    return (
        f"The mean of the weights has {members[0].fitted.monitor} {value:.3f}, and the worst of its {len(values)} "
        f"trainings {worst:.3f}: they ended too far apart. Lower finetune.learning_rate, or set finetune.soup to 1."
    )
