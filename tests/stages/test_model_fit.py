"""A config.json that transformers can't use, or that is not of the weights beside it, is one line within seconds."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    BertConfig,
    FunnelModel,
)

from stages.errors import ModelError
from stages.model_folder import check_model_folder
from tests.stages.finetune.kinds import kind_config, kind_model
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
        ("num_hidden_layers", 1, r"has 16 weights that the encoder of config.json doesn't have \(bert.encoder.layer.1"),
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


RENAMED = ["albert", "bart", "bert", "distilbert", "gpt2", "nomic_bert", "roberta", "t5", "xlnet"]


CAUSES = {  # start of the names -> what the message says of it
    "_orig_mod.": "contain '_orig_mod', which torch.compile adds",
    "module.": "contain 'module', which DataParallel",
    "model.module.": "contain 'module', which DataParallel",
    "model.encoder0.": r"start with 'model\.encoder0\.",
    "0.auto_model.": r"start with '0\.auto_model\.",
}


@pytest.mark.parametrize("prefix", CAUSES)
@pytest.mark.parametrize("part", ["encoder", "classifier"])
@pytest.mark.parametrize("kind", RENAMED)
def test_weights_of_other_names_are_missing(tmp_path: Path, kind: str, part: str, prefix: str) -> None:
    """transformers would start with random weights, and without a word."""
    model = kind_model(kind)
    (model if part == "classifier" else model.base_model).save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    save_file({f"{prefix}{name}": values for name, values in load_file(path).items()}, path, {"format": "pt"})
    refused(tmp_path, r"lacks \d+ weights of the encoder that config.json describes .*" + CAUSES[prefix])
    with pytest.raises(ModelError) as error:
        check_model_folder(tmp_path, name="theirs")
    (advice,) = re.findall(r"(save_file\(.*\)) of safetensors.torch", str(error.value))
    exec(advice, {"FILE": path, "save_file": save_file, "load_file": load_file})
    if prefix != "model.module.":  # two wrappers: the next message names the other
        check_model_folder(tmp_path, name="theirs")


@pytest.mark.parametrize("kind", ["t5", "mt5"])
def test_the_encoder_of_an_encoder_decoder_alone_is_named(tmp_path: Path, kind: str) -> None:
    from transformers import MT5EncoderModel, T5EncoderModel

    config = AutoConfig.for_model(
        kind, vocab_size=40, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0
    )
    {"t5": T5EncoderModel, "mt5": MT5EncoderModel}[kind](config).save_pretrained(tmp_path)
    refused(
        tmp_path, r"lacks \d+ weights .*It holds the encoder alone, .* reads the decoder too\. Choose a folder of the"
    )


KIN = ["roberta", "xlm-roberta", "camembert", "mpnet", "bert", "electra"]


@pytest.mark.parametrize("trained", KIN)
@pytest.mark.parametrize("said", KIN)
def test_weights_of_another_architecture_with_equal_names_are_doubted(tmp_path: Path, trained: str, said: str) -> None:
    """BERT's position embeddings begin at 0, RoBERTa's and its kin's after the id of the padding token."""
    sizes = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 16, "embedding_size": 16, "type_vocab_size": 1}
    configs = [AutoConfig.for_model(kind, **sizes) for kind in (trained, said)]
    encoder = AutoModel.from_config(configs[0])
    configs[1].max_position_embeddings = configs[0].max_position_embeddings
    encoder.save_pretrained(tmp_path)
    configs[1].save_pretrained(tmp_path)
    offset = [kind not in ("bert", "electra") for kind in (trained, said)]
    try:
        doubt = check_model_folder(tmp_path, name="theirs").doubt
    except ModelError:  # MPNet has other names
        assert "mpnet" in (trained, said)
        assert trained != said
        return
    assert (doubt is None) == (offset[0] == offset[1])


@pytest.mark.parametrize("part", ["encoder", "classifier"])
@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("bert", "num_hidden_layers"),
        ("roberta", "num_hidden_layers"),
        ("gpt2", "n_layer"),
        ("distilbert", "n_layers"),
        ("t5", "num_decoder_layers"),
        ("bart", "encoder_layers"),
        ("nomic_bert", "num_hidden_layers"),
        ("xlm", "n_layers"),
    ],
)
def test_layers_that_config_json_leaves_out_are_refused(tmp_path: Path, kind: str, key: str, part: str) -> None:
    model = kind_model(kind, **{key: 3})
    (model if part == "classifier" else model.base_model).save_pretrained(tmp_path)
    edit(tmp_path, **{key: 2})
    refused(tmp_path, r"has \d+ weights that the encoder of config.json doesn't have")


def test_the_config_of_another_architecture_is_refused(folder: Path) -> None:
    kind_config("gpt2").save_pretrained(folder)
    refused(folder, r"lacks \d+ weights of the encoder")


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_weights_beside_those_of_a_layer_are_refused(folder: Path, prefix: str) -> None:
    path = folder / "model.safetensors"
    weights = {name.replace("bert.", prefix, 1): values for name, values in load_file(path).items()}
    weights[f"{prefix}encoder.layer.0.output.adapter.down.weight"] = torch.ones(4, 16)
    save_file(weights, path, {"format": "pt"})
    refused(folder, r"has 1 weights that the encoder .* doesn't have \(.*encoder.layer.0.output.adapter.down.weight\)")


BUFFERS = {  # that earlier versions saved
    "bert": {"embeddings.position_ids": torch.arange(512)[None]},
    "gpt2": {"h.0.attn.bias": torch.ones(1, 1, 40, 40), "h.0.attn.masked_bias": torch.tensor(-1e4)},
    "ctrl": {"h.0.attn.causal_mask": torch.ones(1, 1, 40, 40)},
    "nomic_bert": {"layers.0.attn.rotary_emb.inv_freq": torch.ones(4)},
}


@pytest.mark.parametrize("kind", BUFFERS)
def test_masks_and_positions_that_earlier_versions_saved_are_taken(tmp_path: Path, kind: str) -> None:
    kind_model(kind).base_model.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    save_file(load_file(path) | BUFFERS[kind], path, {"format": "pt"})
    assert check_model_folder(tmp_path, name="theirs").unused == []


def test_the_decoder_of_a_whole_funnel_is_not_needed(tmp_path: Path) -> None:
    FunnelModel(kind_config("funnel")).save_pretrained(tmp_path)
    assert any("decoder" in name for name in check_model_folder(tmp_path, name="theirs").unused)


@pytest.mark.parametrize("kind", ["albert", "bart", "bert", "electra", "gpt2", "roberta", "t5", "xlnet"])
def test_a_language_model_is_an_encoder_with_a_head_of_its_own(tmp_path: Path, kind: str) -> None:
    """Tied weights are saved once."""
    others = {"gpt2": AutoModelForCausalLM, "bart": AutoModelForSeq2SeqLM, "t5": AutoModelForSeq2SeqLM}
    others |= {"xlnet": AutoModelForCausalLM}
    others.get(kind, AutoModelForMaskedLM).from_config(kind_config(kind)).save_pretrained(tmp_path)
    fit = check_model_folder(tmp_path, name="theirs")
    assert fit.lacks_pooler == (kind in ("albert", "bert"))
    assert not any(name.startswith(("encoder.", "bert.", "albert.")) for name in fit.unused)


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
