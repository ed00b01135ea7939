"""What the head reads comes from the recipe, else from the encoder's files, and holds from training to prediction."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from stages.errors import ModelError
from stages.finetune.__main__ import main
from stages.finetune.encoder import load_encoder
from stages.finetune.pooling import choose_pooling
from stages.inference.classifier import Classifier
from stages.inference.loading import load_model, predict_tokens
from stages.model.pooling import pooling_of
from stages.paths import Paths
from stages.tokens import open_tokens, read_positions
from tests.stages.finetune.kinds import place
from tests.stages.finetune.runs import params
from tests.stages.finetune.tiny import LABELS

OLD = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": False, "pooling_mode_max_tokens": False}
FILES: list[tuple[Any, str | None]] = [
    ({**OLD, "pooling_mode_mean_tokens": True, "include_prompt": True}, "mean"),
    ({**OLD, "pooling_mode_cls_token": True}, None),  # BERT's own
    ({**OLD, "pooling_mode_lasttoken": True}, "last"),
    ({"pooling_mode": "mean", "include_prompt": True}, "mean"),
    ({"pooling_mode": "lasttoken"}, "last"),
    ({**OLD, "pooling_mode_max_tokens": True}, None),  # none of ours
    ({**OLD, "pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": True}, None),
    ({"pooling_mode": ["mean"]}, None),
    ({"pooling_mode": 3}, None),
    ({}, None),
    (None, None),
]


def pooling_file(paths: Paths, content: object) -> None:
    (paths.encoder / "1_Pooling").mkdir()
    (paths.encoder / "1_Pooling/config.json").write_text(json.dumps(content))


def chosen(paths: Paths, wanted: str, *, frozen: bool = True) -> str | None:
    return choose_pooling(
        load_encoder(paths.encoder, labels=LABELS),
        paths.encoder,
        open_tokens(paths.tokens),
        wanted=wanted,
        frozen=frozen,
    )


@pytest.mark.parametrize(("content", "expected"), FILES)
def test_auto_is_what_the_encoders_files_say(paths: Paths, content: object, expected: str | None) -> None:
    if content is not None:
        pooling_file(paths, content)
    assert chosen(paths, "auto") == expected
    assert chosen(paths, "auto", frozen=False) is None


@pytest.mark.parametrize(
    ("kind", "own"), [("bert", "cls"), ("roberta", "cls"), ("modernbert", "cls"), ("gpt2", "last")]
)
def test_the_architectures_own_head_stays_where_it_reads_that(paths: Paths, kind: str, own: str) -> None:
    place(paths, kind)
    assert chosen(paths, own) is None
    assert chosen(paths, "auto") is None
    assert chosen(paths, "mean") == "mean"


@pytest.mark.parametrize(
    ("kind", "wanted", "message"),
    [
        (
            "gpt2",
            "cls",
            "pooling is cls, but gpt2 classifies from the last token, and its first token sees no other. Set it to",
        ),
        ("bart", "mean", "pooling is mean, but bart classifies from the end token. Set it to auto"),
        ("t5", "cls", "pooling is cls, but t5 classifies from the end token. Set it to auto"),
        ("funnel", "mean", "pooling is mean, but funnel gives fewer vectors than a text has tokens. Set it to auto"),
    ],
)
def test_what_an_architecture_cant_classify_by_is_refused(paths: Paths, kind: str, wanted: str, message: str) -> None:
    place(paths, kind)
    with pytest.raises(ModelError, match=message):
        chosen(paths, wanted)


METHODS: list[dict[str, Any]] = [
    *({"method": method} for method in ("full", "frozen", "gradual", "lora")),
    {"method": "partial", "frozen_layers": 1, "layer_decay": 0.9},
    {"method": "frozen", "head": {"hidden": 7}},
]


@pytest.mark.parametrize("options", METHODS, ids=lambda options: "-".join(map(str, options.values())))
@pytest.mark.parametrize("kind", ["bert", "bert without a pooler", "roberta", "modernbert", "gpt2"])
def test_the_saved_model_is_the_one_that_was_measured(paths: Paths, kind: str, options: dict[str, Any]) -> None:
    """The val accuracy of the curve is that of the model as `evaluate` and `predict` load it."""
    place(paths, kind)
    head = {"pooling": "mean"} | options.get("head", {})
    main(params(**options | {"head": head, "max_epochs": 1, "learning_rate": 1e-2}), paths, 7)
    model, tokens, val = load_model(paths.finetuned(7)), open_tokens(paths.tokens), read_positions(paths.split("val"))
    right = predict_tokens(model, tokens, val).argmax(1) == tokens.labels[val]
    assert right.mean() == pytest.approx(pd.read_csv(paths.curve(7))["val_accuracy"].iloc[0], abs=1e-5)
    assert json.loads(paths.finetune_stats(7).read_text())["pooling"] == "mean"
    assert pooling_of(model.config) == (None if kind == "modernbert" else "mean")
    classifier = Classifier.load(paths.finetuned(7))
    texts = ["w12 w30 w41", "w11", "w50 w51 w20 w21 w22 w23 w24 w25"]
    alone = np.concatenate([classifier.probabilities([text]) for text in texts])
    np.testing.assert_allclose(classifier.probabilities(texts), alone, atol=1e-5)
    assert classifier.embed(texts).shape == (3, 16)


def test_a_model_of_ours_is_tuned_again_with_the_pooling_that_it_has(paths: Paths) -> None:
    main(params(max_epochs=1, head={"pooling": "last"}), paths, 7)
    for name in ("config.json", "model.safetensors"):
        (paths.encoder / name).write_bytes((paths.finetuned(7) / name).read_bytes())
    assert chosen(paths, "auto", frozen=False) == "last"
    assert chosen(paths, "cls") is None


def test_an_embedding_is_the_vector_that_the_head_reads(paths: Paths) -> None:
    main(params(max_epochs=1, head={"pooling": "last"}), paths, 7)
    classifier = Classifier.load(paths.finetuned(7))
    ids = torch.tensor([[2, 12, 30, 3]])
    with torch.no_grad():
        expected = classifier._model.base_model(ids).last_hidden_state[:, -1]
    np.testing.assert_allclose(classifier.embed(["w12 w30"]), expected.numpy(), atol=1e-5)


def test_stored_features_of_another_pooling_are_not_taken(paths: Paths) -> None:
    for pooling in ("mean", "last"):
        main(params(max_epochs=1, method="frozen", head={"pooling": pooling}), paths, 7)
        tokens, val = open_tokens(paths.tokens), read_positions(paths.split("val"))
        probabilities = predict_tokens(load_model(paths.finetuned(7)), tokens, val)
        loss = -np.log(probabilities[np.arange(len(val)), tokens.labels[val]]).mean()
        assert loss == pytest.approx(pd.read_csv(paths.curve(7))["val_loss"].iloc[0], abs=1e-4)
