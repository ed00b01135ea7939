"""Products in bf16 on a CPU: which machine has units for them, what is rounded, and what is left as it was."""

from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from stages.inference.loading import load_model
from stages.model.bf16 import bf16_units, multiply_in_bf16
from tests.stages.tiny_classifiers import save_classifier


@pytest.mark.parametrize(
    ("capabilities", "limit", "expected"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, None, "AMX"),
        ({"amx_bf16": False, "avx512_bf16": True}, None, "AVX512-BF16"),
        ({"avx512_bf16": True}, "avx512_core_bf16", "AVX512-BF16"),
        ({"avx512_bf16": True}, "avx2", None),
        ({"avx512_f": True}, None, None),
        (None, None, None),
    ],
)
def test_units_are_those_that_pytorch_names_and_one_dnn_may_use(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool] | None, limit: str | None, expected: str | None
) -> None:
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    if limit:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    if capabilities is None:  # of a torch that can't be asked
        monkeypatch.delattr(torch.cpu, "get_capabilities")
    else:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert bf16_units() == expected


def loaded(kind: str, folder: Path) -> PreTrainedModel:
    save_classifier(kind, folder)
    return load_model(folder, precision="32")


def save_classifier_in(folder: Path) -> Path:
    save_classifier("bert", folder)
    return folder


def dtypes(module: nn.Module) -> set[torch.dtype]:
    return {weight.dtype for weight in module.parameters()}


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_linear_layers_of_the_encoder_are_rounded_and_nothing_else(kind: str, tmp_path: Path) -> None:
    model = loaded(kind, tmp_path)
    before = [(weight, weight.clone()) for weight in model.parameters()]
    undo = multiply_in_bf16(model)
    assert undo
    linear = [module for module in model.base_model.modules() if isinstance(module, nn.Linear | Conv1D)]
    assert linear
    assert all(dtypes(layer) == {torch.bfloat16} for layer in linear)
    others = {id(weight) for layer in linear for weight in layer.parameters()}
    assert {weight.dtype for weight in model.parameters() if id(weight) not in others} == {torch.float32}
    undo()
    assert all(torch.equal(weight, values) and weight.dtype == values.dtype for weight, values in before)
    assert {type(layer) for layer in linear} <= {nn.Linear, Conv1D}


def test_a_model_that_multiplies_with_the_weights_itself_stays_in_float32(tmp_path: Path) -> None:
    model = loaded("bert", tmp_path)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    query = model.base_model.encoder.layer[1].attention.self.query
    key = model.base_model.encoder.layer[1].attention.self.key
    key.register_forward_hook(lambda module, inputs, output: nn.functional.linear(inputs[0], query.weight))
    assert not multiply_in_bf16(model)
    after = model.state_dict()
    assert all(
        torch.equal(after[name], weight) and after[name].dtype == weight.dtype for name, weight in before.items()
    )
    assert type(query) is nn.Linear


def test_an_interrupt_while_it_is_tried_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = loaded("bert", tmp_path)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    model.classifier.register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        multiply_in_bf16(model)
    assert dtypes(model) == {torch.float32}
    assert {type(module) for module in model.modules() if isinstance(module, nn.Linear)} == {nn.Linear}


@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama", "t5"])
@pytest.mark.parametrize("end", [50256, -1, None])
def test_an_end_token_that_the_vocabulary_lacks_is_not_tried(kind: str, end: int | None, tmp_path: Path) -> None:
    model = loaded(kind, tmp_path)
    model.config.eos_token_id = end
    assert multiply_in_bf16(model) or kind == "t5"  # whose head reads the end token


def test_another_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="precision is 'bf16'. Give 'auto' or '32'"):
        load_model(save_classifier_in(tmp_path), precision="bf16")  # type: ignore[arg-type]


@pytest.mark.usefixtures("bf16_units")
@pytest.mark.parametrize(
    ("problem", "precision", "rounded"),
    [
        ("single_label_classification", "auto", True),
        ("single_label_classification", "32", False),
        ("multi_label_classification", "auto", True),
        ("regression", "auto", False),
    ],
)
def test_answers_are_rounded_where_digits_do_not_count(
    problem: str, precision: str, rounded: bool, tmp_path: Path
) -> None:
    labels = {"num_labels": 1} if problem == "regression" else {}
    save_classifier("bert", tmp_path, problem_type=problem, **labels)
    model = load_model(tmp_path, precision="32" if precision == "32" else "auto")
    assert (dtypes(model) == {torch.float32}) != rounded
