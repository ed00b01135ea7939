from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from stages.errors import TrainingError
from stages.finetune.encoder import load_encoder
from stages.finetune.methods import blocks_of, check_something_trains, fix_encoder, fix_lowest, set_modes, wrong_modes
from stages.finetune.prepare import apply_method
from stages.finetune.summary import describe_blocks
from stages.paths import Paths

from .conftest import LABELS, tiny_models
from .test_classifier import classifier
from .test_training import train

PLAIN: dict[str, Any] = {
    "hidden": None,
    "head_dropout": 0.1,
    "frozen_layers": 1,
    "rank": 2,
    "alpha": 4.0,
    "lora_dropout": 0.0,
    "target_modules": "auto",
}
ENCODER = {"embeddings", "layer 0", "layer 1", "rest of the encoder"}


def moved(before: dict[str, torch.Tensor], model: PreTrainedModel) -> set[str]:
    """Return the blocks of which a weight has changed."""
    now = {name: values.detach() for name, values in model.named_parameters()}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        block
        for block, parameters in blocks_of(model).items()
        if any(not torch.equal(before[names[id(p)]], now[names[id(p)]]) for p in parameters)
    }


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("full", ENCODER | {"head"}),
        ("frozen", {"head"}),
        ("partial", {"layer 1", "rest of the encoder", "head"}),
    ],
)
def test_which_weights_move(paths: Paths, method: str, expected: set[str]) -> None:
    module = classifier(paths)
    apply_method(module.model, method, **PLAIN)
    before = {name: values.detach().clone() for name, values in module.model.named_parameters()}
    train(paths, module, max_epochs=1)
    assert moved(before, module.model) == expected
    counts = describe_blocks(module.model)
    assert {block for block, count in counts.items() if count["trainable"]} == expected
    assert all(count["trainable"] * count["fixed"] == 0 for count in counts.values())


def test_gradual_moves_the_head_first_and_everything_later(paths: Paths) -> None:
    for epochs, expected in ((2, {"head"}), (3, ENCODER | {"head"})):
        module = classifier(paths)
        module.hparams["frozen_epochs"] = 2
        apply_method(module.model, "gradual", **PLAIN)
        before = {name: values.detach().clone() for name, values in module.model.named_parameters()}
        train(paths, module, max_epochs=epochs, monitor="val/loss")
        assert moved(before, module.model) == expected
        assert not wrong_modes(module.model)


def test_fixed_modules_are_in_eval_mode_and_so_is_their_dropout(paths: Paths) -> None:
    model = load_encoder(paths.encoder, labels=LABELS)
    fix_lowest(model, 1)
    assert not model.bert.embeddings.dropout.training
    assert not model.bert.encoder.layer[0].output.dropout.training
    assert model.bert.encoder.layer[1].output.dropout.training
    assert model.dropout.training
    assert wrong_modes(model) == []
    model.bert.embeddings.train()
    assert "bert.embeddings.dropout" in wrong_modes(model)


def test_more_layers_than_there_are(paths: Paths) -> None:
    with pytest.raises(TrainingError, match=r"finetune.frozen_layers is 3, but this bert has 2 layers"):
        fix_lowest(load_encoder(paths.encoder, labels=LABELS), 3)


def test_albert_has_one_layer_of_its_own() -> None:
    with pytest.raises(TrainingError, match=r"this albert has 1 layers with weights of their own"):
        fix_lowest(tiny_models()["albert"], 2)


def test_nothing_left_to_train(paths: Paths) -> None:
    model = load_encoder(paths.encoder, labels=LABELS)
    fix_encoder(model)
    model.classifier.requires_grad_(False)
    set_modes(model)
    with pytest.raises(TrainingError, match=r"Nothing is left to train"):
        check_something_trains(model)
