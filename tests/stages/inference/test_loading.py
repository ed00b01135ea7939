"""Model folders to probabilities."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from stages.errors import ModelError
from stages.inference.computing import read_behind
from stages.inference.forward import inputs_of
from stages.inference.loading import load_model, predict_tokens
from stages.model.packed import attend_packed, padded
from stages.paths import Paths
from stages.tokens import open_tokens


def test_the_answers_are_those_of_each_row_alone(project: Paths) -> None:
    model, tokens = load_model(project.finetuned(1)), open_tokens(project.tokens)
    positions = np.array([5, 60, 2, 110])
    answers = predict_tokens(model, tokens, positions)
    one_by_one = [predict_tokens(model, tokens, positions[[place]])[0] for place in range(len(positions))]
    np.testing.assert_allclose(np.stack(one_by_one), answers, atol=1e-6)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor(tokens.row(60).astype(np.int64))[None]).logits[0]
    np.testing.assert_allclose(answers[1], logits.softmax(-1).numpy(), atol=1e-6)


def test_packed_rows_have_the_answers_of_padded_ones(project: Paths) -> None:
    """On a GPU rows are packed; the same code runs here."""
    tokens, positions = open_tokens(project.tokens), np.arange(40)
    model = load_model(project.finetuned(1))
    expected = predict_tokens(model, tokens, positions)
    attend_packed(model)
    assert np.allclose(predict_tokens(model, tokens, positions), expected, atol=1e-5)
    with padded(model):
        assert "attention_mask" in inputs_of(model, tokens.pad(positions, pad_token_id=0))
    assert "cu_seqlens" in inputs_of(model, tokens.pad(positions, pad_token_id=0))


def test_results_are_read_in_their_order() -> None:
    results = [(np.array([index]), torch.full((1, 2), float(index))) for index in range(5)]
    read = [(int(indices[0]), float(values[0, 0])) for indices, values in read_behind(results)]
    assert read == [(index, float(index)) for index in range(5)]


def test_dropout_is_off(project: Paths) -> None:
    assert not any(module.training for module in load_model(project.finetuned(1)).modules())


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(copy_project: Paths, name: str) -> None:
    (copy_project.finetuned(1) / name).unlink()
    with pytest.raises(ModelError, match=rf"{name} is missing.*dvc repro"):
        load_model(copy_project.finetuned(1))


def test_code_that_comes_with_a_model_is_refused(copy_project: Paths) -> None:
    path = copy_project.finetuned(1) / "config.json"
    config = json.loads(path.read_text()) | {"auto_map": {"AutoModel": "evil.py--Evil"}}
    path.write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"config\.json has auto_map: .*runs code that comes with the model"):
        load_model(copy_project.finetuned(1))


def test_a_config_that_is_no_json_is_named(copy_project: Paths) -> None:
    (copy_project.finetuned(1) / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json is not JSON"):
        load_model(copy_project.finetuned(1))


def test_an_unknown_model_type_is_one_clear_error(copy_project: Paths) -> None:
    (copy_project.finetuned(1) / "config.json").write_text('{"model_type": "nothing-known"}')
    with pytest.raises(ModelError, match="no text classifier of that type"):
        load_model(copy_project.finetuned(1))


def test_a_folder_whose_head_was_never_trained_is_refused(copy_project: Paths) -> None:
    path: Path = copy_project.finetuned(1) / "model.safetensors"
    weights = {name: tensor for name, tensor in load_file(path).items() if not name.startswith("classifier")}
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks weights \(classifier"):
        load_model(copy_project.finetuned(1))


def test_remote_code_of_a_tokenizer_is_refused(copy_project: Paths) -> None:
    path = copy_project.finetuned(1) / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}))
    with pytest.raises(ModelError, match=r"tokenizer_config\.json has auto_map: .*runs code that comes"):
        load_model(copy_project.finetuned(1))


def test_pickled_weights_are_refused(copy_project: Paths) -> None:
    folder = copy_project.finetuned(1)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"only pickled weights \(pytorch_model\.bin\).*can run any code"):
        load_model(folder)


def test_damaged_weights_are_one_clear_error(copy_project: Paths) -> None:
    (copy_project.finetuned(1) / "model.safetensors").write_bytes(b"\x10" * 100)
    with pytest.raises(ModelError, match="model.safetensors is damaged"):
        load_model(copy_project.finetuned(1))


def test_a_configuration_that_is_no_mapping_is_named(copy_project: Paths) -> None:
    (copy_project.finetuned(1) / "config.json").write_text("[]")
    with pytest.raises(ModelError, match=r"config\.json: expected a JSON object, got list"):
        load_model(copy_project.finetuned(1))
