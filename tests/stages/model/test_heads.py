import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    pipeline,
)

from stages.errors import ModelError
from stages.model.heads import add_hidden_layer, load_retune_head
from stages.model_folder import check_model_folder
from tests.stages.finetune.kinds import kind_model
from tests.stages.tiny_classifiers import tiny_classifier

SMALL = {"vocab_size": 30, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "num_labels": 3}
IDS = torch.tensor([[2, 12, 20, 3]])


def same_logits(model: Any, other: Any) -> None:
    """Check them but for the last digits, since sums depend on where in memory the weights lie."""
    torch.testing.assert_close(model(IDS).logits, other(IDS).logits)


@pytest.mark.parametrize("hidden", [16, 24])  # as wide as the encoder, and wider
def test_saved_and_loaded_again(tmp_path: Path, hidden: int) -> None:
    model = BertForSequenceClassification(BertConfig(hidden_size=16, **SMALL)).eval()
    add_hidden_layer(model, hidden=hidden, dropout=0.2)
    assert model.classifier.hidden.weight.shape == (hidden, 16)
    model.save_pretrained(tmp_path)
    loaded = load_retune_head(tmp_path)
    assert loaded is not None
    same_logits(loaded, model)
    assert not loaded.training


@pytest.mark.parametrize("hidden", [16, 24])
def test_transformers_alone_refuses_it_and_does_not_start_with_a_random_head(tmp_path: Path, hidden: int) -> None:
    model = BertForSequenceClassification(BertConfig(hidden_size=16, **SMALL))
    add_hidden_layer(model, hidden=hidden, dropout=0.2)
    model.save_pretrained(tmp_path)
    with pytest.raises((RuntimeError, ValueError), match=r"(?s)mismatch"):
        pipeline("text-classification", str(tmp_path))


@pytest.mark.parametrize("hidden", [32, 24])  # as wide as the encoder, and not
@pytest.mark.parametrize("kind", ["gpt2", "llama", "qwen2", "gpt_neo", "opt"])  # whose own head has no bias
def test_transformers_alone_refuses_it_where_the_own_head_has_no_bias(tmp_path: Path, kind: str, hidden: int) -> None:
    model = tiny_classifier(kind, pad_token_id=0)
    add_hidden_layer(model, hidden=hidden, dropout=0.2)
    model.save_pretrained(tmp_path)
    with pytest.raises((RuntimeError, ValueError), match=r"(?s)mismatch"):
        AutoModelForSequenceClassification.from_pretrained(tmp_path)
    loaded = load_retune_head(tmp_path)
    assert loaded is not None
    same_logits(loaded, model.eval())


def test_the_last_linear_layer_is_the_one_replaced() -> None:
    model = RobertaForSequenceClassification(RobertaConfig(hidden_size=16, **SMALL))
    add_hidden_layer(model, hidden=8, dropout=0.0)
    assert model.classifier.out_proj.hidden.in_features == 16
    assert model(IDS).logits.shape == (1, 3)


def test_a_plain_head_is_none_of_its_business(tmp_path: Path) -> None:
    BertForSequenceClassification(BertConfig(hidden_size=16, **SMALL)).save_pretrained(tmp_path)
    assert load_retune_head(tmp_path) is None


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    model = BertForSequenceClassification(BertConfig(hidden_size=16, **SMALL))
    add_hidden_layer(model, hidden=8, dropout=0.0)
    model.save_pretrained(tmp_path)
    text = (tmp_path / "config.json").read_text().replace('"hidden": 8', '"hidden": 9')
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"model.safetensors does not fit config.json"):
        load_retune_head(tmp_path)


@pytest.mark.parametrize(
    "kind", ["albert", "bart", "gpt2", "gte", "luke", "mbart", "mt5", "nomic_bert", "t5", "umt5", "xlm", "xlnet"]
)
def test_any_architecture_is_read_again_with_its_hidden_layer(tmp_path: Path, kind: str) -> None:
    """BART and T5 tie weights, and NomicBERT's have other names in the file."""
    model = kind_model(kind)
    add_hidden_layer(model, hidden=7, dropout=0.2)
    model.eval().save_pretrained(tmp_path)
    check_model_folder(tmp_path, name="ours")
    loaded = load_retune_head(tmp_path)
    assert loaded is not None
    assert loaded.state_dict().keys() == model.state_dict().keys()
    same_logits(loaded, model)
    loaded.save_pretrained(tmp_path / "again")
    assert json.loads((tmp_path / "again/config.json").read_text())["architectures"] == [type(model).__name__]


def test_a_hidden_layer_in_several_files_is_read(tmp_path: Path) -> None:
    model = BertForSequenceClassification(BertConfig(hidden_size=16, **SMALL)).eval()
    add_hidden_layer(model, hidden=7, dropout=0.2)
    model.save_pretrained(tmp_path, max_shard_size="2KB")
    assert not (tmp_path / "model.safetensors").exists()
    loaded = load_retune_head(tmp_path)
    assert loaded is not None
    same_logits(loaded, model)
