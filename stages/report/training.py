"""How the model was fine-tuned, in the words that people use for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.report.render.formats import percent
from stages.schema import Evaluate, Finetune

METHODS = {
    "full": "full: every layer is trained",
    "frozen": "frozen: only the head is trained",
    "partial": "partial: the upper layers and the head are trained",
    "gradual": "gradual: the head first, then every layer",
    "lora": "LoRA: small matrices beside the frozen weights",
}
PRODUCTS = {"32": "float32", "bf16": "bf16 products, float32 weights", "fp16": "fp16 products, float32 weights"}
ANSWERS = {"32": "float32", "bf16": "bf16"}


def describe_training(stats: Mapping[str, Any], options: Finetune) -> list[tuple[str, str]]:
    """Return what was trained and how, as pairs of a name and a value, in the order of a table.

    Args:
        stats: The contents of data/finetune/SEED/stats.json.
        options: The section `finetune` of params.yaml.
    """
    parameters = stats["parameters"]
    facts = [
        ("method", METHODS[options.method]),
        ("trained parameters", _share(parameters["trainable"], parameters["total"])),
        ("frozen", _frozen(parameters.get("blocks") or {})),
        ("learning rate", _schedule(options)),
        ("batch", _batch(options)),
        ("precision", _precision(stats.get("precision"), PRODUCTS, options)),
        ("epochs", _epochs(stats, options)),
        ("rows", _by_split(stats.get("rows"))),
        ("tokens", _by_split(stats.get("tokens"))),
        ("padding in training batches", _padding(stats.get("tokens"))),
        ("vocabulary", _vocabulary(stats.get("vocabulary"))),
        ("weights of the classes in the loss", _class_weights(options, stats.get("class_weights"))),
    ]
    return [(name, value) for name, value in facts if value]


def describe_evaluation(metrics: Mapping[str, Any], options: Evaluate) -> list[tuple[str, str]]:
    """Return how the predictions were computed, as `describe_training` does.

    Args:
        metrics: The contents of data/evaluate/SEED/metrics.json.
        options: The section `evaluate` of params.yaml.
    """
    value = _precision(metrics.get("precision"), ANSWERS, options)
    return [("precision of the predictions", value)] if value else []


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({percent(part / whole)})" if whole else ""


def _frozen(blocks: Mapping[str, Mapping[str, int]]) -> str:
    """The blocks without a trained weight; layers that follow each other as a range."""
    names = [name for name, counts in blocks.items() if counts["frozen"] and not counts["trainable"]]
    layers = [int(name.removeprefix("layer ")) for name in names if name.startswith("layer ")]
    others = [name for name in names if not name.startswith("layer ")]
    if len(layers) > 1 and layers == list(range(layers[0], layers[-1] + 1)):
        others.append(f"layers {layers[0]} to {layers[-1]}")
    else:
        others += [f"layer {layer}" for layer in layers]
    return ", ".join(others)


def _schedule(options: Finetune) -> str:
    warmup = f", after a warmup over {100 * options.warmup_ratio:g}% of the steps" if options.warmup_ratio else ""
    decays = options.layer_decay < 1 and options.method != "frozen"  # which trains no layer of the encoder
    by_layer = f"; times {options.layer_decay:g} for each layer further down" if decays else ""
    return f"{options.learning_rate:g}, {options.schedule}{warmup}{by_layer}"


def _batch(options: Finetune) -> str:
    steps = options.accumulate_grad_batches
    tokens = f", at most {options.max_tokens_per_batch:,} tokens" if options.max_tokens_per_batch else ""
    return f"{options.batch_size} rows{tokens}{f', {steps} batches per step' if steps > 1 else ''}"


def _precision(taken: str | None, names: Mapping[str, str], options: Finetune | Evaluate) -> str:
    if taken is None:
        return ""
    return f"{names.get(taken, taken)}{' (chosen by auto)' if options.precision == 'auto' else ''}"


def _epochs(stats: Mapping[str, Any], options: Finetune) -> str:
    name, value = stats["monitor"]["name"], stats["monitor"]["value"]
    best = "no epoch was chosen" if value is None else f"best {name}: {value:.3f}"  # fast_dev_run, or no val batches
    epochs, kept = str(stats["epochs"]), f"the weights of {kept_weights(stats)} were kept"
    if each := stats.get("soup"):
        epochs, values = _listed([str(one["epochs"]) for one in each]), [one["value"] for one in each]
        kept = f"{kept_weights(stats)} was kept"
        if value is not None:
            best = f"{name}: {value:.3f}, of the trainings {_listed([f'{one:.3f}' for one in values])}"
    return f"{epochs} of at most {options.max_epochs}; {kept} ({best})"


def kept_weights(stats: Mapping[str, Any]) -> str:
    """Return which weights a fine-tune kept: `epoch 3`, or those of several trainings.

    Args:
        stats: The contents of data/finetune/SEED/stats.json.
    """
    if each := stats.get("soup"):
        return f"the mean of {len(each)} trainings (epochs {_listed([str(one['best_epoch']) for one in each])})"
    return f"epoch {stats['best_epoch']}"


def _listed(texts: Sequence[str]) -> str:
    return f"{', '.join(texts[:-1])} and {texts[-1]}"


def _by_split(counts: Mapping[str, int] | None) -> str:
    return ", ".join(f"{counts[split]:,} {split}" for split in ("train", "val") if split in counts) if counts else ""


def _padding(tokens: Mapping[str, float] | None) -> str:
    return f"{percent(1 - tokens['real_share'])} of their tokens" if tokens and "real_share" in tokens else ""


def _vocabulary(vocabulary: Mapping[str, float] | None) -> str:
    if not vocabulary:
        return ""
    return f"{vocabulary['used']:,} of {vocabulary['rows']:,} tokens occur; only their embeddings were held in training"


def _class_weights(options: Finetune, weights: Sequence[float] | None) -> str:
    if not weights:
        return ""
    kind = "balanced, " if options.class_weights == "balanced" else ""
    return f"{kind}{min(weights):.3g} to {max(weights):.3g}"
