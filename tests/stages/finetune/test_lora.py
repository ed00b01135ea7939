import pytest
import torch

from stages.errors import TrainingError
from stages.finetune.lora import add_lora, merge_lora
from stages.paths import Paths

from .conftest import tiny_models
from .test_classifier import batch, classifier
from .test_training import train


def test_only_the_matrices_and_the_head_move_and_merging_gives_the_same_plain_model(paths: Paths) -> None:
    module = classifier(paths)
    plain = {name: values.clone() for name, values in module.model.state_dict().items()}
    add_lora(module.model, rank=2, alpha=4.0, dropout=0.1, target_modules="auto")
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
        add_lora(model, rank=2, alpha=4.0, dropout=0.0, target_modules="auto")
        assert any("lora_" in name for name, _ in model.named_parameters())
        merge_lora(model)
        assert not any("lora_" in name for name, _ in model.named_parameters())


def test_targets_that_do_not_exist() -> None:
    with pytest.raises(
        TrainingError, match=r"names \['q_proj'\], which this bert does not have. It has \['dense', 'key'"
    ):
        add_lora(tiny_models()["bert"], rank=2, alpha=4.0, dropout=0.0, target_modules=["query", "q_proj"])
