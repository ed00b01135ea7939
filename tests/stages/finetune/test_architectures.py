import json

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from stages.finetune.__main__ import main
from stages.model.heads import load_hidden_head
from stages.params import Params
from stages.paths import Paths
from tests.stages.finetune.runs import params
from tests.stages.finetune.tiny import LABELS, tiny_models

IDS = torch.tensor([[2, 12, 30, 41, 3], [2, 11, 14, 15, 3]])


def train(paths: Paths, kind: str, options: Params) -> None:
    """Fine-tune one of the tiny models as the encoder."""
    for name in ("config.json", "model.safetensors"):
        (paths.encoder / name).unlink()
    tiny_models()[kind].base_model.save_pretrained(paths.encoder)
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
    model = load_hidden_head(paths.finetuned(7))
    assert model is not None
    assert model(IDS).logits.shape == (2, len(LABELS))
    before = tiny_models()[kind].base_model.state_dict()
    for name, values in model.base_model.state_dict().items():
        assert torch.equal(values, before[name]), name
