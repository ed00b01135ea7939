"""Whatever the recipe and the architecture: the model that is saved is the one that was measured."""

import json
import random
from typing import Any

import numpy as np
import pytest

from stages.finetune.__main__ import main
from stages.inference.loading import load_model, predict_tokens
from stages.paths import Paths
from stages.tokens import open_tokens, read_positions
from tests.stages.finetune.kinds import place
from tests.stages.finetune.runs import params

DRAWS = 80  # each architecture with each method
POOLINGS = {
    "gpt2": ["auto", "mean", "last"],
    "xlnet": ["auto", "mean", "last"],
    "qwen2": ["auto", "mean"],
    "t5": ["auto"],
    "funnel": ["auto", "cls"],
    "bart": ["auto"],
}
KINDS = ["bert", "bert without a pooler", "albert without a pooler", "distilbert", "electra", "mpnet", "roberta"]
KINDS += ["deberta-v2", "modernbert", "nomic_bert", *POOLINGS]
VALUES: dict[str, list[Any]] = {
    "ema_decay": [None, 0.9, 0.95],
    "compact_vocabulary": [True, False],
    "weight_decay": [0.0, 0.5],
    "layer_decay": [1.0, 0.7],
    "accumulate_grad_batches": [1, 3],
    "max_tokens_per_batch": [None, 150],
    "label_smoothing": [0.0, 0.2],
    "class_weights": ["none", "balanced"],
    "schedule": ["linear", "cosine", "constant"],
    "gradient_clip": [0.0, 1.0],
    "soup": [1, 1, 2],
}


def recipe(draw: int) -> tuple[str, dict[str, Any]]:
    """Return the architecture and the section finetune of one draw."""
    generator = random.Random(draw)
    kind = KINDS[draw % len(KINDS)]
    method = ["frozen", "full", "partial", "gradual", "lora"][draw % 5]
    pooling = generator.choice(POOLINGS.get(kind, ["auto", "mean", "cls"]))
    chosen = {name: generator.choice(values) for name, values in VALUES.items()}
    chosen |= {"method": method, "frozen_layers": 1, "learning_rate": 5e-3}
    if method == "frozen":
        chosen["soup"] = 1
    return kind, chosen | {"head": {"pooling": pooling, "hidden": generator.choice([None, None, 7])}}


@pytest.mark.parametrize("draw", range(DRAWS))
def test_the_measured_loss_is_that_of_the_saved_model(draw: int, paths: Paths) -> None:
    kind, options = recipe(draw)
    place(paths, kind)
    main(params(**options), paths, 7)
    tokens, val = open_tokens(paths.tokens), read_positions(paths.split("val"))
    probabilities = predict_tokens(load_model(paths.finetuned(7), precision="32"), tokens, val)
    losses = -np.log(probabilities[np.arange(len(val)), tokens.labels[val]])
    weights = np.ones(3)
    if options["class_weights"] == "balanced":
        counts = np.bincount(tokens.labels[read_positions(paths.split("train"))])
        weights = counts.sum() / (len(counts) * counts)
    expected = np.average(losses, weights=weights[tokens.labels[val]])
    measured = json.loads(paths.finetune_stats(7).read_text())["monitor"]
    assert measured == {"name": "val.loss", "value": pytest.approx(expected, abs=1e-4)}, f"{kind}, {options}"
