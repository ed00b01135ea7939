"""What a source brings beside its encoder, a head and a task, leaves no trace in the model that is fine-tuned on it."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedModel,
)

from stages.errors import ModelError
from stages.finetune.__main__ import main
from stages.finetune.encoder import load_encoder
from stages.inference.classifier import Classifier
from stages.model.heads import add_hidden_layer, new_pooler, source_of
from stages.paths import Paths
from tests.stages.finetune.kinds import kind_config, kind_model
from tests.stages.finetune.runs import params
from tests.stages.finetune.tiny import LABELS, write_tokenizer

CLASSES = {  # what a classifier of another task says in its config.json
    "two classes": {"num_labels": 2},
    "six classes": {"num_labels": 6},
    "the same classes in another order": {"id2label": {0: "good", 1: "bad", 2: "fair"}},
    "many labels per text": {"problem_type": "multi_label_classification"},
    "a number": {"num_labels": 1, "problem_type": "regression"},
    "thresholds": {"thresholds": [0.1, 0.9], "best_threshold": 0.3, "class_weights": [1, 9], "label_names": ["a", "b"]},
    "a task of its own": {"finetuning_task": "sst2", "task_specific_params": {"summarization": {"max_length": 9}}},
}
OF_CONFIG = {"id2label", "label2id", "classifier_dropout", "classifier_pooling", "classifier_activation"}
OF_CONFIG |= {
    "classifier_bias",
    "classifier_dropout_prob",
    "seq_classif_dropout",
    "transformers_version",
    "summary_proj_to_labels",
}
HEADS = {
    "token classifier": AutoModelForTokenClassification,
    "question answering": AutoModelForQuestionAnswering,
    "language model": AutoModelForMaskedLM,
}
KINDS = ["albert", "bart", "big_bird", "distilbert", "electra", "fnet", "gpt2", "luke", "nomic_bert", "roberta", "t5"]
KINDS += ["xlm", "xlnet"]


def load(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """Save a source and load it as the encoder of LABELS, with the seed of every test."""
    model.save_pretrained(folder)
    write_tokenizer(folder)
    torch.manual_seed(5)
    return load_encoder(folder, labels=LABELS)


def same_as_of_the_bare_encoder(loaded: PreTrainedModel, source: PreTrainedModel, folder: Path) -> None:
    expected = load(source.base_model, folder).state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    different = [name for name, values in loaded.state_dict().items() if not torch.equal(values, expected[name])]
    assert different == []


def of_no_task(model: PreTrainedModel, folder: Path) -> None:
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    assert config["id2label"] == {str(number): label for number, label in enumerate(LABELS)}
    assert config["label2id"] == {label: number for number, label in enumerate(LABELS)}
    assert not {"problem_type", "finetuning_task", "task_specific_params", "retune_head"} & config.keys()
    assert {key for key in config if re.search("label|threshold|class", key)} <= OF_CONFIG


def biased(model: PreTrainedModel) -> PreTrainedModel:
    """Give every bias outside the encoder the values 5, 0, 0, ..."""
    for name, parameter in model.named_parameters():
        if not name.startswith(f"{model.base_model_prefix}."):
            parameter.data.fill_(0.5)
            parameter.data.view(-1)[0] = 5.0
    return model


@pytest.mark.parametrize("case", CLASSES)
def test_nothing_is_left_of_a_classifiers_task(tmp_path: Path, case: str, caplog: pytest.LogCaptureFixture) -> None:
    source = biased(kind_model("bert", **CLASSES[case]))
    with caplog.at_level(logging.INFO):
        loaded = load(source, tmp_path / "tuned")
    assert (
        "the head is newly initialised: 2 weights of the source's own task (classifier.bias, "
        "classifier.weight)" in caplog.text
    )
    same_as_of_the_bare_encoder(loaded, source, tmp_path / "bare")
    of_no_task(loaded, tmp_path / "saved")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_of_a_head_of_the_same_shape(tmp_path: Path, kind: str) -> None:
    source = biased(kind_model(kind))
    loaded = load(source, tmp_path / "tuned")
    assert source_of(loaded).unused
    same_as_of_the_bare_encoder(loaded, source, tmp_path / "bare")
    of_no_task(loaded, tmp_path / "saved")


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", ["bert", "electra", "roberta", "distilbert"])
def test_heads_of_other_tasks_are_left_out(tmp_path: Path, kind: str, head: str) -> None:
    torch.manual_seed(0)
    source = biased(HEADS[head].from_config(kind_config(kind, num_labels=2)))
    loaded = load(source, tmp_path / "tuned")
    assert source_of(loaded).unused
    assert (new_pooler(loaded) is not None) == (kind == "bert")  # the only one with a pooler, which these tasks lack
    same_as_of_the_bare_encoder(loaded, source, tmp_path / "bare")


def test_what_a_language_model_has_of_the_head_is_pretrained_and_kept(tmp_path: Path) -> None:
    """ModernBERT's head is that of its language model, but for the output layer; transformers loads it too."""
    torch.manual_seed(0)
    source = AutoModelForMaskedLM.from_config(kind_config("modernbert"))
    source.head.dense.weight.data.fill_(0.5)
    loaded = load(source, tmp_path / "pretrained")
    assert source_of(loaded).of_language_model == ["head.dense.weight", "head.norm.weight"]
    assert torch.equal(loaded.head.dense.weight, source.head.dense.weight)
    assert loaded.classifier.weight.std() > 0


@pytest.mark.parametrize("kind", ["deberta-v2", "modernbert"])
@pytest.mark.parametrize("head", [AutoModelForTokenClassification, AutoModelForSequenceClassification])
def test_a_tuned_head_in_parts_is_new_in_all_of_them(tmp_path: Path, kind: str, head: Any) -> None:
    """A token classifier of DeBERTa has no pooler, and one of ModernBERT has the whole head."""
    torch.manual_seed(0)
    source = biased(head.from_config(kind_config(kind)))
    loaded = load(source, tmp_path / "tuned")
    same_as_of_the_bare_encoder(loaded, source, tmp_path / "bare")


def test_the_head_is_the_one_that_transformers_draws_for_a_bare_encoder(tmp_path: Path) -> None:
    loaded = load(kind_model("roberta").base_model, tmp_path)
    torch.manual_seed(5)
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path, num_labels=len(LABELS))
    assert all(torch.equal(values, plain.state_dict()[name]) for name, values in loaded.state_dict().items())


def test_our_own_model_with_a_hidden_layer_and_a_threshold_is_an_encoder_too(tmp_path: Path) -> None:
    source = kind_model("bert")
    add_hidden_layer(source, hidden=9, dropout=0.1)
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned/calibration.json").write_text('{"temperature": 2.0}')
    loaded = load(source, tmp_path / "tuned")
    same_as_of_the_bare_encoder(loaded, source, tmp_path / "bare")
    of_no_task(loaded, tmp_path / "saved")


def test_a_bare_encoder_has_nothing_to_say(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        loaded = load(kind_model("bert").base_model, tmp_path)
    assert caplog.text == ""
    assert source_of(loaded).unused == []
    assert new_pooler(loaded) is None


@pytest.mark.parametrize(
    ("kind", "values"),
    [("roberta", {"pad_token_id": None}), ("bart", {"eos_token_id": [3]}), ("t5", {"eos_token_id": [3]})],
)
def test_what_transformers_can_not_read_of_a_config_but_other_files_say(
    paths: Paths, kind: str, values: dict[str, Any]
) -> None:
    """The pad token that RoBERTa counts positions from, and an end token in a list, as for generation."""
    put(paths, kind_model(kind).base_model)
    config = paths.encoder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | values))
    main(params(max_epochs=1, limit_train_batches=1), paths, 7)
    ids = torch.tensor([[2, 12, 30, 3]])
    plain = AutoModelForSequenceClassification.from_pretrained(paths.finetuned(7)).eval()
    with torch.no_grad():
        expected = plain(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.softmax(-1)
    ours = Classifier.load(paths.finetuned(7)).probabilities(["w12 w30", "w12 w30 w31 w32"])[0]
    assert ours == pytest.approx(expected[0].numpy(), abs=1e-5)


def put(paths: Paths, source: PreTrainedModel) -> None:
    for name in ("config.json", "model.safetensors"):
        (paths.encoder / name).unlink()
    source.save_pretrained(paths.encoder)


def test_a_multi_label_classifier_becomes_a_model_that_predicts(paths: Paths) -> None:
    put(paths, kind_model("bert", num_labels=6, problem_type="multi_label_classification"))
    main(params(limit_train_batches=2, max_epochs=1), paths, 7)
    assert Classifier.load(paths.finetuned(7)).labels == LABELS
    stats = json.loads(paths.finetune_stats(7).read_text())
    assert stats["source"] == {
        "unused": ["classifier.bias", "classifier.weight"],
        "of_language_model": [],
        "lacks_pooler": False,
    }


def without_pooler(kind: str) -> PreTrainedModel:
    """Return an encoder as language models are saved: without the pooler of their classifiers."""
    encoder = kind_model(kind).base_model
    encoder.pooler = None
    if kind == "albert":
        encoder.pooler_activation = None
    return encoder


@pytest.mark.parametrize("method", ["frozen", "lora", "gradual", "partial", "full"])
@pytest.mark.parametrize("kind", ["albert", "bert", "luke", "nomic_bert"])
def test_a_pooler_that_is_missing_is_said_and_trained(
    paths: Paths, kind: str, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    options: dict[str, Any] = {"method": method, "frozen_layers": 1, "learning_rate": 1e-2}
    put(paths, without_pooler(kind))
    with caplog.at_level(logging.INFO):
        main(params(max_epochs=1, **options), paths, 7)
    assert "the source has no pooler: a new one is initialised, and trained as a part of the head" in caplog.text
    torch.manual_seed(7)
    before = load_encoder(paths.encoder, labels=LABELS).base_model
    tuned = AutoModelForSequenceClassification.from_pretrained(paths.finetuned(7)).base_model
    moved = {
        name.partition(".")[0]
        for name, values in tuned.state_dict().items()
        if not torch.equal(values, before.state_dict()[name])
    }
    assert "pooler" in moved
    if method in ("frozen", "gradual"):
        assert moved == {"pooler"}
    stats = json.loads(paths.finetune_stats(7).read_text())
    assert stats["source"]["lacks_pooler"]
    pooler = sum(parameter.numel() for parameter in tuned.pooler.parameters())
    assert stats["parameters"]["blocks"]["head"]["trainable"] > pooler


def test_a_pooler_that_is_there_is_a_part_of_the_frozen_encoder(paths: Paths) -> None:
    before = {name: values.clone() for name, values in kind_model("bert").base_model.state_dict().items()}
    put(paths, kind_model("bert"))
    main(params(max_epochs=1, method="frozen", learning_rate=1e-2), paths, 7)
    tuned = AutoModelForSequenceClassification.from_pretrained(paths.finetuned(7)).base_model
    assert all(torch.equal(values, before[name]) for name, values in tuned.state_dict().items())


def test_a_language_model_of_an_encoders_kind_reads_all_tokens(tmp_path: Path) -> None:
    source = AutoModelForCausalLM.from_config(kind_config("bert", is_decoder=True))
    loaded = load(source, tmp_path).eval()
    ids = torch.tensor([[2, 10, 11, 3], [2, 10, 20, 3]])
    with torch.no_grad():
        first, second = loaded(input_ids=ids).logits
    assert loaded.config.is_decoder is False
    assert not torch.equal(first, second)


IMPOSSIBLE: dict[str, tuple[str, dict[str, Any], str]] = {
    "a table of fixed size": ("mpnet", {"relative_attention_num_buckets": 2}, "index out of range"),
    "no language": ("xmod", {"languages": ["en_XX", "de_DE"], "default_language": None}, "language"),
    "lengths that don't fit": ("nystromformer", {"num_landmarks": 8, "segment_means_seq_len": 24}, "size"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_an_architecture_can_not_compute_is_one_line_before_training(paths: Paths, case: str) -> None:
    kind, options, message = IMPOSSIBLE[case]
    sizes = {"vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 32, "max_position_embeddings": 48, "pad_token_id": 0}
    config = AutoConfig.for_model(kind, **sizes | options)
    put(paths, AutoModelForSequenceClassification.from_config(config).base_model)
    with pytest.raises(ModelError, match=f"^{kind} can't compute a row of .* tokens .*{message}.*choose another model"):
        main(params(max_epochs=1), paths, 7)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(paths: Paths, value: float) -> None:
    source = kind_model("bert").base_model
    source.encoder.layer[1].output.dense.weight.data[0] = value
    put(paths, source)
    with pytest.raises(ModelError, match=r"not finite numbers \(.*layer\.1\.output\.dense\.weight.*\)\. Fetch"):
        main(params(max_epochs=1), paths, 7)
