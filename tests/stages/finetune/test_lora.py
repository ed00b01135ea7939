import pytest
import torch

from stages.errors import TrainingError
from stages.finetune.lora import add_lora, merge_lora
from stages.paths import Paths
from tests.stages.finetune.runs import batch, build, options, train
from tests.stages.finetune.tiny import tiny_models


def test_only_the_matrices_and_the_head_move_and_merging_gives_the_same_plain_model(paths: Paths) -> None:
    module = build(paths)
    plain = {name: values.clone() for name, values in module.model.state_dict().items()}
    add_lora(module.model, options(lora={"rank": 2, "alpha": 4.0, "dropout": 0.1}).lora)
    trained = {name for name, parameter in module.model.named_parameters() if parameter.requires_grad}
    assert all("lora_" in name or name.startswith("classifier") for name in trained)
    assert sum("lora_" in name for name in trained) == 8  # two matrices for query and value of two layers
    train(paths, module, max_epochs=2)
    module.eval()
    rows = batch(paths)
    before = module(rows)
    merge_lora(module.model)
    assert torch.allclose(module(rows), before, atol=1e-5)
    merged = module.model.state_dict()
    assert merged.keys() == plain.keys()
    changed = {name for name in merged if not torch.equal(merged[name], plain[name])}
    assert {name.split(".")[-2] for name in changed} == {"query", "value", "classifier"}


def test_every_architecture_has_targets() -> None:
    for model in tiny_models().values():
        add_lora(model, options().lora)
        assert any("lora_" in name for name, _ in model.named_parameters())
        merge_lora(model)
        assert not any("lora_" in name for name, _ in model.named_parameters())


def test_targets_that_do_not_exist() -> None:
    with pytest.raises(
        TrainingError, match=r"contains \['q_proj'\], but bert has no such linear layers. Choose from \['dense', 'key'"
    ):
        add_lora(tiny_models()["bert"], options(lora={"target_modules": ["query", "q_proj"]}).lora)


def test_the_matrices_are_what_the_options_say() -> None:
    from peft.tuners.lora import LoraLayer

    model = tiny_models()["bert"]
    add_lora(model, options(lora={"rank": 3, "alpha": 12.0, "dropout": 0.25, "target_modules": ["key"]}).lora)
    layers = {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}
    assert {name.rsplit(".", 1)[-1] for name in layers} == {"key"}
    assert len(layers) == 2
    for layer in layers.values():
        assert layer.lora_A["default"].weight.shape == (3, 16)
        assert layer.scaling["default"] == 4.0  # alpha / rank
        assert layer.lora_dropout["default"].p == 0.25
