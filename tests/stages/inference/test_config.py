"""A config.json whose keys change what a model answers, or whose labels name no classes, in every way to load it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from pipeline.cli import app
from stages.errors import ModelError
from stages.finetune.encoder import load_encoder
from stages.inference.classifier import Classifier
from stages.inference.loading import load_model
from stages.model_folder import check_model_folder
from stages.paths import Paths

TEXTS = ["good app", "bad bad crash money", "win free money call now or later"]


@pytest.fixture
def folder(copy_project: Paths) -> Path:
    return copy_project.finetuned(1)


def edit(folder: Path, **values: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder


@pytest.mark.parametrize(
    "values",
    [
        {"return_dict": False},
        {"chunk_size_feed_forward": 7},
        {"output_attentions": True},
        {"output_hidden_states": True},
        {"torchscript": True},
        {"use_cache": False},
        {"gradient_checkpointing": True},
    ],
    ids=str,
)
def test_what_changes_no_answer_is_taken(folder: Path, values: dict[str, Any]) -> None:
    before = Classifier.load(folder)
    probabilities, embeddings = before.probabilities(TEXTS), before.embed(TEXTS)
    after = Classifier.load(edit(folder, **values))
    np.testing.assert_allclose(after.probabilities(TEXTS), probabilities, atol=1e-6)
    np.testing.assert_allclose(after.embed(TEXTS), embeddings, atol=1e-6)
    model = load_encoder(folder, labels=["a", "b", "c"])
    ids = torch.ones((1, 9), dtype=torch.int64)
    assert model(input_ids=ids, labels=torch.tensor([1])).loss.isfinite()


LABELS: dict[str, tuple[Any, str]] = {
    "gaps": ({"0": "a", "5": "b", "9": "c"}, r"id2label with the classes '0', '5', '9', expected 0 to 2"),
    "a negative number": ({"-1": "a", "0": "b"}, r"id2label with the classes '-1', '0', expected 0 to 1"),
    "no numbers": ({"a": "a", "b": "b"}, r"id2label with the classes 'a', 'b', expected 0 to 1"),
    "a number twice": ({"0": "a", "00": "b"}, r"id2label with the classes '0', '00'"),
    "a list": (["a", "b"], r"config.json"),
    "a name twice": ({"0": "a", "1": "a"}, r"the label 'a' twice in id2label"),
    "a lone surrogate": ({"0": "a", "1": "b\ud800"}, r"the label 'b\\ud800', which is not valid Unicode"),
    "null": ({"0": None, "1": "b"}, r"the label None in id2label, expected a text"),
    "an object": ({"0": {"a": 1}, "1": "b"}, r"the label \{'a': 1\} in id2label, expected a text"),
    "a list as a name": ({"0": ["a"], "1": "b"}, r"the label \['a'\] in id2label, expected a text"),
    "true": ({"0": True, "1": "b"}, r"the label True in id2label, expected a text"),
    "nothing": ({"0": "", "1": " "}, r"the label '' in id2label, expected a text"),
}


@pytest.mark.parametrize("case", LABELS)
def test_labels_that_name_no_classes_are_refused(folder: Path, case: str) -> None:
    id2label, message = LABELS[case]
    with pytest.raises(ModelError, match=message) as error:
        load_model(edit(folder, id2label=id2label, label2id={}))
    assert "\n" not in str(error.value)


def test_labels_of_an_encoder_are_not_used_and_not_refused(folder: Path) -> None:
    edit(folder, id2label={"0": "a", "1": "a"}, label2id={"a": 0})
    assert load_encoder(folder, labels=["x", "y"]).config.id2label == {0: "x", 1: "y"}


def test_more_labels_than_the_head_has_are_refused(folder: Path) -> None:
    edit(folder, id2label={"0": "a", "1": "b", "2": "c"}, label2id={"a": 0, "b": 1, "c": 2})
    with pytest.raises(
        ModelError, match=r"classifier.* has the shape \[2.*\] in model.safetensors, but \[3.*\] by config"
    ):
        load_model(folder)


def test_numbers_are_labels_and_a_line_break_is_shown_as_a_space(folder: Path) -> None:
    edit(folder, id2label={"0": 1, "1": "two\nlines\r"}, label2id={"1": 0, "two\nlines\r": 1})
    result = CliRunner().invoke(app, ["predict", "good app", "bad app", "--all", "--model", str(folder)])
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if line]
    assert len(lines) == 2
    assert all("  two lines 0." in line and "  1 0." in line for line in lines)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps: nan, which is not a usable value"),
        ({"layer_norm_eps": float("inf")}, "layer_norm_eps: inf, which is not"),
        ({"layer_norm_eps": -1.0}, "layer_norm_eps: -1.0, which is not"),
    ],
    ids=str,
)
def test_numbers_that_leave_no_answer_are_named(folder: Path, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=f"config.json has {message}"):
        load_model(edit(folder, **values))


def save_as(folder: Path, kind: torch.dtype, key: str = "bert.encoder.layer.0.output.dense.weight") -> Path:
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {key: weights[key].to(kind)}, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.mark.parametrize("kind", [torch.int64, torch.int8, torch.bool, torch.complex64, torch.float8_e4m3fn], ids=str)
def test_weights_that_are_no_floats_are_refused(folder: Path, kind: torch.dtype) -> None:
    with pytest.raises(ModelError, match=r"dense.weight has the type \w+ in model.safetensors, expected one of F64"):
        check_model_folder(save_as(folder, kind), name="theirs")


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_weights_of_any_float_are_taken(folder: Path, kind: torch.dtype) -> None:
    assert np.isfinite(Classifier.load(save_as(folder, kind)).probabilities(TEXTS)).all()


def test_integers_in_a_buffer_are_taken(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["bert.embeddings.position_ids"] = torch.arange(512)[None]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    check_model_folder(folder, name="theirs")
