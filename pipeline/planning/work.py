"""How much a stage computes: rows, tokens, epochs and steps, joined into one number per stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.repository.snapshot import MOST_WORK

Sections = Mapping[str, Any]  # of params.yaml, by name
USED = ("tokenize", "split", "finetune", "evaluate", "crossfit", "extrapolate")  # the sections that the work depends on
STEP = 64.0  # tokens that cost as much as what a training step does beside its tokens
FOLD_VAL = 0.1  # share of a fold's training rows that choose its epoch


@dataclass(frozen=True)
class Work:
    """How much a stage computes, in a unit of its own; training may stop early, at `least`."""

    most: float
    least: float


def stage_work(group: str, sections: Sections, lengths: Mapping[int, int]) -> Work | None:
    """The work of a stage, or None if nothing tells.

    Args:
        group: The stage's name without its item.
        sections: The values of params.yaml.
        lengths: Tokens per row -> rows, before truncation.
    """
    rows = float(sum(lengths.values()))
    if not rows:
        return None
    longest = _number(sections, "tokenize", "max_length", 128)
    tokens = sum(count * min(length, longest) for length, count in lengths.items())
    val, test = (_number(sections, "split", part, 0.1) for part in ("val", "test"))
    if group == "finetune":
        return _training(sections, rows, tokens, val, max(1 - val - test, 0.0))
    if group == "evaluate":
        resampled = rows * test * _number(sections, "evaluate", "resamples", 2000) / 1000
        return _bounded((val + test) * tokens + resampled)
    if group == "extrapolate":
        return _bounded(rows * _number(sections, "extrapolate", "draws", 10))
    if group == "crossfit" and _section(sections, "crossfit").get("method") == "finetune":
        folds = _section(sections, "crossfit").get("folds")
        others = 1 - 1 / max(len(folds) if isinstance(folds, list) else 0, 2)  # share of the rows outside a fold
        return _training(sections, rows, tokens, others * FOLD_VAL, others * (1 - FOLD_VAL))
    return _bounded(rows)


def _training(sections: Sections, rows: float, tokens: float, val: float, train: float) -> Work:
    share = train * _number(sections, "split", "train_fraction", 1.0)
    share *= _number(sections, "finetune", "limit_train_share", 1.0)
    batch = max(_number(sections, "finetune", "batch_size", 16), 1)
    steps = rows * share / batch
    if limit := _number(sections, "finetune", "limit_train_batches", 0):
        share, steps = share * min(1.0, limit / max(steps, 1e-9)), min(steps, limit)
    epoch = share * tokens + val * tokens / 3 + STEP * steps  # without gradients a row costs a third
    epochs = _number(sections, "finetune", "max_epochs", 1)
    if _section(sections, "finetune").get("method") == "frozen":  # the encoder reads each row once
        once = tokens * (share + val) / 3
        return _bounded(once + epochs * STEP * steps / 8, once + STEP * steps / 8)
    patience = _number(sections, "finetune", "patience", epochs)
    return _bounded(epochs * epoch, min(epochs, patience + 1) * epoch)


def _bounded(most: float, least: float | None = None) -> Work:
    least = most if least is None else least
    return Work(min(max(most, 1.0), MOST_WORK), min(max(least, 1.0), MOST_WORK))


def _section(sections: Sections, name: str) -> Mapping[str, Any]:
    section = sections.get(name)
    return section if isinstance(section, Mapping) else {}


def _number(sections: Sections, name: str, key: str, default: float) -> float:
    """A value of params.yaml if it is a number that makes sense, else the default; the stage itself checks it."""
    value = _section(sections, name).get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MOST_WORK:
        return default
    return float(value)
