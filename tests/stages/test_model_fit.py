"""A config.json that transformers can't use, or that is not of the weights beside it, is one line within seconds."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, BertConfig

from stages.errors import ModelError
from stages.model_folder import check_model_folder
from tests.stages.finetune.tiny import tiny_models

SECONDS = 5  # on a busy machine; what is refused takes milliseconds
DEEP = "[" * 100_000 + "]" * 100_000
BERT = BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    AutoModelForSequenceClassification.from_config(BERT).save_pretrained(tmp_path)
    return tmp_path


def edit(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def refused(folder: Path, message: str) -> None:
    started = time.monotonic()
    with pytest.raises(ModelError, match=message) as error:
        check_model_folder(folder, name="theirs")
    assert time.monotonic() - started < SECONDS
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("hidden_size", 0, "can't build"),
        ("hidden_size", "16", "can't build .*hidden_size"),
        ("hidden_size", 15, "can't build"),
        ("hidden_size", 18, r"has the shape \[\d+.*\] in model.safetensors"),
        ("num_attention_heads", 0, "can't build"),
        ("num_hidden_layers", -1, "num_hidden_layers: -1, expected 1 to 1,000"),
        ("num_hidden_layers", 0, "num_hidden_layers: 0, expected 1 to 1,000"),
        ("num_hidden_layers", 10**9, "num_hidden_layers: 1000000000, expected 1 to 1,000"),
        ("num_hidden_layers", "2", "can't build .*num_hidden_layers"),
        ("num_hidden_layers", 1, r"has 16 weights of layers that config.json doesn't have \(bert.encoder.layer.1"),
        ("num_hidden_layers", 3, r"lacks 16 weights of the encoder"),
        ("num_hidden_layers", 900, "asks for more than 1,820 modules"),
        ("vocab_size", "40", "can't build .*vocab_size"),
        ("vocab_size", -1, "can't build"),
        ("vocab_size", 41, r"bert.embeddings.word_embeddings.weight has the shape \[40, 16\]"),
        ("vocab_size", 10**12, "vocab_size: 1000000000000, expected"),
        ("max_position_embeddings", 10**9, "max_position_embeddings: 1000000000, expected"),
        ("num_labels", 10**9, "num_labels: 1000000000, expected 1 to 1,000,000"),
        ("num_labels", 0, "num_labels: 0, expected 1 to"),
        ("id2label", [1], "can't build"),
        ("model_type", ["bert"], "model_type: .*no text classifier"),
        ("model_type", {"a": 1}, "model_type: .*no text classifier"),
        ("model_type", None, "has no model_type"),
        ("model_type", "abacus", "model_type: 'abacus'.*no text classifier"),
        ("model_type", "roberta", "lacks .* weights|can't build|has the shape"),
        ("hidden_act", "tanh2", "can't build .*tanh2"),
        ("hidden_act", 5, "can't build"),
        ("dtype", "float99", "can't build"),
        ("dtype", ["float32"], "can't build"),
        ("hidden_dropout_prob", "much", "can't build"),
        ("hidden_dropout_prob", 7, "can't build"),
        ("retune_head", {"hidden": 10**12, "dropout": 0}, "retune_head: .*expected|hidden: 1000000000000, expected"),
        ("retune_head", {"hidden": 0, "dropout": 0}, "retune_head: .*expected hidden and dropout"),
        ("retune_head", {"width": 3}, "retune_head: .*expected hidden and dropout"),
        ("retune_head", [4], "retune_head: .*expected hidden and dropout"),
    ],
)
def test_a_wrong_value_is_one_line_within_seconds(folder: Path, key: str, value: Any, message: str) -> None:
    edit(folder, **{key: value})
    refused(folder, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (DEEP.encode(), "config.json is not JSON"),
        (b'{"a": ' * 500 + b"1" + b"}" * 500, "nested deeper than 20 levels"),
        (b'{"model_type": "\xff"}', "config.json is not JSON"),
        (b'{"vocab_size": ' + b"9" * 5000 + b"}", "config.json is not JSON"),
        (b"", "config.json is not JSON"),
        (b"null", "expected a JSON object, got NoneType"),
        (b" " * 20_000_001, "has more than 20,000,000 bytes"),
    ],
)
def test_a_config_that_is_no_json_object(folder: Path, content: bytes, message: str) -> None:
    (folder / "config.json").write_bytes(content)
    refused(folder, message)


def test_weights_of_renamed_modules_are_missing(folder: Path) -> None:
    """transformers would start with random weights, and without a word."""
    path = folder / "model.safetensors"
    save_file({f"_orig_mod.{name}": values for name, values in load_file(path).items()}, path, {"format": "pt"})
    refused(folder, r"lacks 37 weights of the encoder that config.json describes")


def test_one_missing_weight_of_the_encoder_is_named(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    del weights["bert.encoder.layer.1.attention.self.query.bias"]
    save_file(weights, path, {"format": "pt"})
    refused(folder, r"lacks 1 weights of the encoder .*\(bert.encoder.layer.1.attention.self.query.bias\)")


@pytest.mark.parametrize("content", [b"", b"\x10" * 100, b"\xff" * 8])
def test_damaged_weights(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    refused(folder, "model.safetensors is damaged")


def test_a_missing_pooler_and_a_head_of_another_task_are_taken(tmp_path: Path) -> None:
    AutoModelForMaskedLM.from_config(BERT).save_pretrained(tmp_path)
    assert not any("pooler" in name for name in load_file(tmp_path / "model.safetensors"))
    check_model_folder(tmp_path, name="theirs")


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_old_names_of_weights_are_taken(folder: Path, prefix: str) -> None:
    """Published BERTs call a layer norm's weights gamma and beta, and carry the numbers of the positions."""
    path = folder / "model.safetensors"
    weights = {name.removeprefix("bert."): values for name, values in load_file(path).items() if "bert." in name}
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    for new, name in old.items():
        weights = {key.replace(new, name): values for key, values in weights.items()}
    weights["embeddings.position_ids"] = torch.arange(512)[None]
    save_file({prefix + name: values for name, values in weights.items()}, path, {"format": "pt"})
    check_model_folder(folder, name="theirs")


@pytest.mark.parametrize("part", ["encoder", "classifier"])
@pytest.mark.parametrize("kind", sorted(tiny_models()))
def test_every_architecture_is_taken_with_and_without_its_head(tmp_path: Path, kind: str, part: str) -> None:
    model = tiny_models()[kind]
    (model if part == "classifier" else model.base_model).save_pretrained(tmp_path)
    check_model_folder(tmp_path, name="theirs")
