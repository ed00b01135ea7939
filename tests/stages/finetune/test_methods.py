import pytest
import torch
from transformers import PreTrainedModel

from stages.errors import TrainingError
from stages.finetune.encoder import load_encoder
from stages.finetune.methods import (
    blocks_of,
    check_something_trains,
    freeze_encoder,
    freeze_lowest,
    set_modes,
    wrong_modes,
)
from stages.finetune.prepare import apply_method
from stages.finetune.summary import count_parameters
from stages.model.layers import layers_of
from stages.paths import Paths
from tests.stages.finetune.kinds import kind_model
from tests.stages.finetune.runs import build, options, train
from tests.stages.finetune.tiny import LABELS, tiny_models

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
    module = build(paths)
    apply_method(module.model, options(method=method, frozen_layers=1))
    before = {name: values.detach().clone() for name, values in module.model.named_parameters()}
    train(paths, module, max_epochs=1)
    assert moved(before, module.model) == expected
    counts = count_parameters(module.model)
    assert {block for block, count in counts.items() if count["trainable"]} == expected
    assert all(count["trainable"] * count["frozen"] == 0 for count in counts.values())


def test_gradual_moves_the_head_first_and_everything_later(paths: Paths) -> None:
    for epochs, expected in ((2, {"head"}), (3, ENCODER | {"head"})):
        changes = {"method": "gradual", "frozen_epochs": 2}
        module = build(paths, **changes)
        apply_method(module.model, options(**changes))
        before = {name: values.detach().clone() for name, values in module.model.named_parameters()}
        train(paths, module, max_epochs=epochs)
        assert moved(before, module.model) == expected
        assert not wrong_modes(module.model)


def test_frozen_modules_are_in_eval_mode_and_so_is_their_dropout(paths: Paths) -> None:
    model = load_encoder(paths.encoder, labels=LABELS)
    freeze_lowest(model, 1)
    assert not model.bert.embeddings.dropout.training
    assert not model.bert.encoder.layer[0].output.dropout.training
    assert model.bert.encoder.layer[1].output.dropout.training
    assert model.dropout.training
    assert wrong_modes(model) == []
    model.bert.embeddings.train()
    assert "bert.embeddings.dropout" in wrong_modes(model)


def test_more_layers_than_there_are(paths: Paths) -> None:
    with pytest.raises(
        TrainingError,
        match=r"finetune.frozen_layers is 3, but the number of bert's layers .* is 2. Set .* to 2 or less",
    ):
        freeze_lowest(load_encoder(paths.encoder, labels=LABELS), 3)


def test_albert_has_one_layer_of_its_own() -> None:
    with pytest.raises(TrainingError, match=r"the number of albert's layers with weights of their own is 1"):
        freeze_lowest(tiny_models()["albert"], 2)


def test_nothing_left_to_train(paths: Paths) -> None:
    model = load_encoder(paths.encoder, labels=LABELS)
    freeze_encoder(model)
    model.classifier.requires_grad_(False)
    set_modes(model)
    with pytest.raises(TrainingError, match=r"Every weight is frozen"):
        check_something_trains(model)


def test_the_head_is_what_the_options_say(paths: Paths) -> None:
    model = load_encoder(paths.encoder, labels=LABELS)
    apply_method(model, options(head={"hidden": 12, "dropout": 0.35}))
    assert model.classifier.hidden.out_features == 12
    assert model.classifier.dropout.p == 0.35
    plain = load_encoder(paths.encoder, labels=LABELS)
    apply_method(plain, options(head={"hidden": None}))
    assert isinstance(plain.classifier, torch.nn.Linear)


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_as_many_layers_are_frozen_as_the_options_say(paths: Paths, layers: int) -> None:
    model = load_encoder(paths.encoder, labels=LABELS)
    apply_method(model, options(method="partial", frozen_layers=layers))
    frozen = {block for block, count in count_parameters(model).items() if count["frozen"]}
    assert frozen == {"embeddings", *(f"layer {index}" for index in range(layers))}


KINDS = ["albert", "bart", "ctrl", "funnel", "mbart", "mt5", "nomic_bert", "roformer", "t5", "xlm", "xlnet"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_token_embeddings_are_in_the_block_of_embeddings(kind: str) -> None:
    """Whatever it is called: in T5 and BART encoder and decoder share it, in CTRL its name is one letter."""
    model = kind_model(kind)
    tables = [parameter for parameter in blocks_of(model)["embeddings"] if parameter.ndim == 2]
    assert any(parameter is model.get_input_embeddings().weight for parameter in tables)
    apply_method(model, options(method="partial", frozen_layers=1))
    assert not model.get_input_embeddings().weight.requires_grad
    assert {block for block, count in count_parameters(model).items() if count["frozen"]} == {"embeddings", "layer 0"}


@pytest.mark.parametrize(
    ("kind", "layers"),
    [("albert", 1), ("bart", 4), ("bert", 2), ("flaubert", 3), ("funnel", 2), ("t5", 4), ("xlm", 3)],
)
def test_layers_are_counted_once(kind: str, layers: int) -> None:
    """XLM keeps the parts of its layers in four lists, Funnel its layers in blocks."""
    model = kind_model(kind, **({"n_layers": 3} if kind in ("xlm", "flaubert") else {}))
    assert len(layers_of(model)) == layers
    blocks = blocks_of(model)
    assert [block for block in blocks if block.startswith("layer ")] == [f"layer {index}" for index in range(layers)]
    sizes = {
        sum(p.numel() for p in blocks[f"layer {index}"]) for index in range(layers if kind in ("xlm", "bert") else 1)
    }
    assert len(sizes) == 1


@pytest.mark.parametrize("kind", ["flaubert", "xlm"])
def test_a_module_that_layers_share_trains_if_one_of_them_does(kind: str) -> None:
    model = kind_model(kind)
    apply_method(model, options(method="partial", frozen_layers=1))
    assert wrong_modes(model) == []
    shared = [module for module in model.modules() if not list(module.parameters()) and "GELU" in type(module).__name__]
    assert all(module.training for module in shared)
