"""How much a stage computes: rows, tokens, epochs and steps, joined into one number per stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.repository.snapshot import MOST_WORK

Sections = Mapping[str, Any]  # of params.yaml, by name
# what architectures call the width of their layers, their number, and the width inside them
WIDTH = ("hidden_size", "d_model", "dim", "n_embd", "n_embed", "emb_dim")
LAYERS = ("num_hidden_layers", "n_layers", "n_layer", "num_layers", "encoder_layers")
INNER = ("intermediate_size", "hidden_dim", "d_ff", "encoder_ffn_dim", "n_inner")
UNIT = 6 * (4 * 384**2 + 2 * 384 * 1536)  # weights that multiply a token, in the bundled encoder
USED = ("tokenize", "split", "finetune", "evaluate", "crossfit", "extrapolate")  # the sections that the work depends on
TRAINED = 3.0  # how often a token that is only computed would be, in the time of one that is trained
STEP = 192.0  # tokens that cost as much as what a training step does beside its tokens; it grows with the encoder too
HEAD_STEP = 24.0  # the same of a head alone
DRAW = 0.2  # tokens that cost as much as a row of a draw of the stage extrapolate
FOLD_VAL = 0.1  # share of a fold's training rows that choose its epoch


@dataclass(frozen=True)
class Work:
    """How much a stage computes, in tokens that the bundled encoder computes without gradients or what costs as much.

    Attributes:
        most: With no row kept, and all epochs.
        least: The same with as few epochs as a training may stop after.
        read: The tokens of both that are computed once for all runs, where rows are kept.
        epochs: Of a training at most.
        epoch: The work of each.
        cost: Of a token, in those of the bundled encoder.
    """

    most: float
    least: float
    read: float = 0.0
    epochs: float = 0.0
    epoch: float = 0.0
    cost: float = 1.0

    def without_kept(self, kept: bool | None) -> "Work":
        """What is left if all rows are kept (True) or none (False); None: `least` is with all, `most` with none."""
        most = self.most - self.read if kept else self.most
        least = self.least if kept is False else self.least - self.read
        return replace(self, most=_bounded(most), least=_bounded(least), read=self.read if kept is False else 0.0)

    def done(self, measured: Mapping[str, Any]) -> float:
        """The work of a run by what it measured: it read kept rows, or stopped early.

        Args:
            measured: Its timings: `computed_tokens`, `epochs`. What is missing was as planned.
        """
        computed = _number(measured, "computed_tokens", self.read / self.cost) * self.cost if self.read else 0.0
        epochs = _number(measured, "epochs", self.epochs)
        return _bounded(self.most - self.read + computed - (self.epochs - epochs) * self.epoch)


def token_cost(config: Mapping[str, Any]) -> float:
    """About what a token costs in an encoder with this config, in those of the bundled one; 1 if that tells nothing."""
    of_text = config.get("text_config")  # of a model of several kinds of input
    config = of_text if isinstance(of_text, Mapping) else config
    width, layers = (_first(config, names) for names in (WIDTH, LAYERS))
    if not layers and isinstance(blocks := config.get("block_sizes"), Sequence):
        layers = sum(_number({"": size}, "", 0.0) for size in blocks)
    if not (width and layers):
        return 1.0
    return min(layers * (4 * width**2 + 2 * width * (_first(config, INNER) or 4 * width)) / UNIT, MOST_WORK)


def stage_work(group: str, sections: Sections, lengths: Mapping[int, int], *, cost: float = 1.0) -> Work | None:
    """The work of a stage, or None if nothing tells.

    Args:
        group: The stage's name without its item.
        sections: The values of params.yaml.
        lengths: Tokens per row -> rows, before truncation.
        cost: From `token_cost`.
    """
    rows = float(sum(lengths.values()))
    return replace(_work(group, sections, lengths, rows, cost), cost=cost) if rows else None


def _work(group: str, sections: Sections, lengths: Mapping[int, int], rows: float, cost: float) -> Work:
    longest = _number(_section(sections, "tokenize"), "max_length", 128)
    tokens = cost * sum(count * min(length, longest) for length, count in lengths.items())
    val, test = (_number(_section(sections, "split"), part, 0.1) for part in ("val", "test"))
    if group == "finetune":
        return _training(sections, rows, tokens, val, max(1 - val - test, 0.0), cost * STEP)
    if group == "evaluate":
        resamples = _number(_section(sections, "evaluate"), "resamples", 2000)
        return _once((val + test) * tokens, rows * test * resamples / 1000)
    if group == "extrapolate":
        return _once(tokens, DRAW * rows * _number(_section(sections, "extrapolate"), "draws", 10))
    if group == "crossfit":
        crossfit = _section(sections, "crossfit")
        if crossfit.get("method") != "finetune":
            return _once(tokens, rows)
        folds = crossfit.get("folds")
        others = 1 - 1 / max(len(folds) if isinstance(folds, list) else 0, 2)  # share of the rows outside a fold
        return _training(sections, rows, tokens, others * FOLD_VAL, others * (1 - FOLD_VAL), cost * STEP)
    return _once(0.0, rows)


def _training(sections: Sections, rows: float, tokens: float, val: float, train: float, step: float) -> Work:
    options = _section(sections, "finetune")
    share = train * _number(_section(sections, "split"), "train_fraction", 1.0)
    share *= _number(options, "limit_train_share", 1.0)
    batch = max(_number(options, "batch_size", 16), 1)
    steps = rows * share / batch
    if limit := _number(options, "limit_train_batches", 0):
        share, steps = share * min(1.0, limit / max(steps, 1e-9)), min(steps, limit)
    trainings = _number(options, "soup", 1)
    epochs = trainings * _number(options, "max_epochs", 1)
    fewest = min(epochs, trainings * (_number(options, "patience", epochs) + 1))
    frozen = options.get("method") == "frozen"  # the encoder reads each row once, and the epochs train the head
    read = tokens * (share + val) if frozen else 0.0
    epoch = HEAD_STEP * steps if frozen else TRAINED * share * tokens + val * tokens + step * steps
    return Work(_bounded(read + epochs * epoch), _bounded(read + fewest * epoch), min(read, MOST_WORK), epochs, epoch)


def _once(read: float, rest: float) -> Work:
    """Work without epochs: tokens that are computed once for all runs, and the rest."""
    return Work(_bounded(read + rest), _bounded(read + rest), min(read, MOST_WORK))


def _bounded(work: float) -> float:
    return min(max(work, 1.0), MOST_WORK)


def _first(config: Mapping[str, Any], names: Sequence[str]) -> float:
    """The first of these numbers that a config has; 0 if it has none."""
    return next((number for name in names if (number := _number(config, name, 0.0))), 0.0)


def _section(sections: Sections, name: str) -> Mapping[str, Any]:
    section = sections.get(name)
    return section if isinstance(section, Mapping) else {}


def _number(values: Mapping[str, Any], key: str, default: float) -> float:
    """A value if it is a number that makes sense, else the default; the stage itself checks it."""
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MOST_WORK:
        return default
    return float(value)
