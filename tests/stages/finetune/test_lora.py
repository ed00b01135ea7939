import logging

import pytest
import torch

from stages.errors import TrainingError
from stages.finetune.lora import add_lora, merge_lora
from stages.paths import Paths
from tests.stages.finetune.kinds import kind_model
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


WITHOUT_TARGETS_IN_PEFT = ["camembert", "ctrl", "fnet", "funnel", "gte", "longformer", "luke", "mbart", "mobilebert"]
WITHOUT_TARGETS_IN_PEFT += ["mpnet", "nomic_bert", "roformer", "umt5", "xlm", "xlnet"]


@pytest.mark.parametrize("kind", [*sorted(tiny_models()), "falcon"])  # Falcon's linear layers are of a class of its own
def test_every_architecture_has_targets(kind: str) -> None:
    model = tiny_models().get(kind) or kind_model(kind)
    add_lora(model, options().lora)
    assert any("lora_" in name for name, _ in model.named_parameters())
    merge_lora(model)
    assert not any("lora_" in name for name, _ in model.named_parameters())


@pytest.mark.parametrize("kind", WITHOUT_TARGETS_IN_PEFT)
def test_all_linear_layers_are_targets_where_peft_has_none(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    model = kind_model(kind)
    before = {name: values.clone() for name, values in model.state_dict().items()}
    linear = [name for name, module in model.base_model.named_modules() if type(module) is torch.nn.Linear]
    linear = [name for name in linear if not name.startswith("pooler")]
    with caplog.at_level(logging.INFO):
        add_lora(model, options().lora)
    assert f"so all {len(linear)} linear layers of its encoder get adapters" in caplog.text
    assert sum(name.endswith("lora_A.default.weight") for name, _ in model.named_parameters()) == len(linear)
    ids = torch.tensor([[2, 12, 30, 41, 3]])
    model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.sum().backward()
    for name, parameter in model.named_parameters():
        if "lora_B" in name and parameter.grad is not None:
            parameter.data -= parameter.grad
    merge_lora(model)
    merged = model.state_dict()
    assert merged.keys() == before.keys()
    changed = {name for name in merged if not torch.equal(merged[name], before[name])}
    assert changed
    assert changed <= {f"{model.base_model_prefix}.{name}.weight" for name in linear}


def test_adapters_in_one_another_are_merged_once() -> None:
    """Those of DeepSeek's experts are."""
    model = kind_model("deepseek_v3")
    names = set(model.state_dict())
    add_lora(model, options().lora)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    model.eval()
    ids = torch.tensor([[2, 12, 30, 41, 3]])
    before = model(input_ids=ids).logits
    merge_lora(model)
    assert torch.allclose(model(input_ids=ids).logits, before, atol=1e-5)
    assert set(model.state_dict()) == names


@pytest.mark.parametrize("kind", ["ibert", "squeezebert"])
def test_an_encoder_without_linear_layers(kind: str) -> None:
    with pytest.raises(
        TrainingError, match=f"finetune.method is lora, but {kind} has no linear layers. Set finetune.method"
    ):
        add_lora(kind_model(kind), options().lora)


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
