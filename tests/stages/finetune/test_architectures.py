import json
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from stages.errors import ModelError
from stages.finetune.__main__ import main
from stages.inference.classifier import Classifier
from stages.model.heads import load_retune_head
from stages.params import Params
from stages.paths import Paths
from tests.stages.finetune.kinds import kind_model
from tests.stages.finetune.runs import params
from tests.stages.finetune.tiny import LABELS, tiny_models, write_tokens

IDS = torch.tensor([[2, 12, 30, 41, 3], [2, 11, 14, 15, 3]])


def train(paths: Paths, kind: str, options: Params, **changes: Any) -> None:
    """Fine-tune one of the tiny models as the encoder, with some changes of its config."""
    for name in ("config.json", "model.safetensors"):
        (paths.encoder / name).unlink()
    model = tiny_models().get(kind) if not changes else None
    (model or kind_model(kind, **changes)).base_model.save_pretrained(paths.encoder)
    main(options, paths, 7)


@pytest.mark.parametrize("kind", sorted(tiny_models()))
def test_any_encoder_with_a_head_works_by_changing_its_name(paths: Paths, kind: str) -> None:
    train(paths, kind, params(limit_train_batches=2))
    model = AutoModelForSequenceClassification.from_pretrained(paths.finetuned(7))
    assert model.config.model_type == kind
    assert list(model.config.id2label.values()) == LABELS
    assert model(IDS).logits.shape == (2, len(LABELS))
    blocks = json.loads(paths.finetune_stats(7).read_text())["parameters"]["blocks"]
    assert {"embeddings", "layer 0", "head"} <= blocks.keys()


@pytest.mark.parametrize("kind", ["bert", "distilbert", "gpt2"])
def test_a_frozen_encoder_keeps_its_weights_and_the_head_has_its_hidden_layer(paths: Paths, kind: str) -> None:
    train(paths, kind, params(method="frozen", head={"hidden": 20}))
    model = load_retune_head(paths.finetuned(7))
    assert model is not None
    assert model(IDS).logits.shape == (2, len(LABELS))
    before = tiny_models()[kind].base_model.state_dict()
    for name, values in model.base_model.state_dict().items():
        assert torch.equal(values, before[name]), name


METHODS: list[dict[str, Any]] = [
    *({"method": method} for method in ("full", "frozen", "gradual", "lora")),
    {"method": "partial", "frozen_layers": 1, "layer_decay": 0.9},
    {"method": "full", "head": {"hidden": 7}},
    {"method": "frozen", "head": {"hidden": 7}},
]


@pytest.mark.parametrize("options", METHODS, ids=lambda options: "-".join(map(str, options.values())))
@pytest.mark.parametrize("kind", ["bart", "mbart", "mt5", "t5"])
def test_an_encoder_decoder_learns_from_texts_with_an_end_inside(
    paths: Paths, kind: str, options: dict[str, Any]
) -> None:
    write_tokens(paths, ends_inside=True)
    train(paths, kind, params(max_epochs=1, **options))
    classifier = Classifier.load(paths.finetuned(7))
    texts = ["w12 [SEP] w30 w41", "w11", "w50 w51 w20 w21 w22 w23 w24 w25"]
    together = classifier.probabilities(texts)
    alone = np.concatenate([classifier.probabilities([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert classifier.embed(texts).shape == (3, 16)


@pytest.mark.parametrize("method", ["frozen", "lora"])
@pytest.mark.parametrize("kind", ["longformer", "luke", "nomic_bert", "roformer", "xlm"])
def test_methods_that_ask_for_the_encoders_inside_work(paths: Paths, kind: str, method: str) -> None:
    train(paths, kind, params(max_epochs=1, method=method, learning_rate=1e-2))
    head = json.loads(paths.finetune_stats(7).read_text())["parameters"]["blocks"]["head"]
    assert head["trainable"] > 0
    assert Classifier.load(paths.finetuned(7)).probabilities(["w12 w30", "w11"]).shape == (2, len(LABELS))


def test_rows_without_an_end_are_refused_before_training(paths: Paths) -> None:
    for name in ("config.json", "model.safetensors"):
        (paths.encoder / name).unlink()
    kind_model("bart", eos_token_id=5).save_pretrained(paths.encoder)
    with pytest.raises(
        ModelError, match=r"120 rows of data/tokenize/tokens have no end token \(id 5\), where bart class"
    ):
        main(params(), paths, 7)


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_a_decoder_may_begin_with_a_token_that_no_text_holds(paths: Paths, kind: str) -> None:
    train(paths, kind, params(max_epochs=1), decoder_start_token_id=5)
    notes = json.loads(paths.finetune_stats(7).read_text())
    assert "vocabulary" in json.dumps(notes), "the embeddings of the tokens in use alone were trained"
    model = AutoModelForSequenceClassification.from_pretrained(paths.finetuned(7))
    assert model(IDS).logits.isfinite().all()
