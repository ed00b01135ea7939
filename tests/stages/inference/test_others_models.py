"""Classifiers that were tuned elsewhere are answered as plain transformers answers them, alone and beside others."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertTokenizer, pipeline

from stages.errors import ModelError
from stages.inference.classifier import Classifier
from tests.stages.tiny_classifiers import SPECIAL, WORDS, save_classifier, word_tokenizer

TEXTS = ["w3 w4 w5", " ".join(f"w{number}" for number in range(30)), "w9", "w7 w8 w1 w2 w0"]
LABELS = ["LABEL_0", "LABEL_1", "LABEL_2"]


def plain(folder: Path, *pairs: str) -> np.ndarray:
    peer = pipeline("text-classification", str(folder), top_k=None)
    inputs = [{"text": text, "text_pair": pairs[0]} for text in TEXTS] if pairs else TEXTS
    answers = [{entry["label"]: entry["score"] for entry in peer([row])[0]} for row in inputs]
    return np.array([[answer[label] for label in LABELS] for answer in answers])


@pytest.mark.parametrize("kind", ["gpt2", "llama", "mistral", "phi", "gpt_neox", "bloom", "mixtral", "qwen3", "opt"])
def test_a_decoder_without_a_pad_token(kind: str, tmp_path: Path) -> None:
    model = save_classifier(kind, tmp_path, **{"pad_token_id": None} if kind != "opt" else {})
    assert model.config.pad_token_id is None or kind == "opt"
    np.testing.assert_allclose(Classifier.load(tmp_path).probabilities(TEXTS), plain(tmp_path), atol=1e-5)


@pytest.mark.parametrize("kind", ["xlnet", "bert", "mpnet", "convbert", "fnet", "big_bird", "gemma"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_whatever_side_the_tokenizer_pads(kind: str, side: str, tmp_path: Path) -> None:
    save_classifier(kind, tmp_path)
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"padding_side": side}))
    np.testing.assert_allclose(Classifier.load(tmp_path).probabilities(TEXTS), plain(tmp_path), atol=1e-5)


@pytest.mark.parametrize("kind", ["ctrl", "gptj", "mpt"])
def test_a_max_length_beyond_positions_that_are_computed_is_refused(kind: str, tmp_path: Path) -> None:
    save_classifier(kind, tmp_path)
    (tmp_path / "calibration.json").write_text('{"max_length": 66}')
    long = [" ".join(["w1"] * 100)]
    assert len(Classifier.load(tmp_path)(long)) == 1
    (tmp_path / "calibration.json").write_text('{"max_length": 500}')
    with pytest.raises(ModelError, match=rf"{kind} can't compute a text of 67 tokens .*max_length of at most 66"):
        Classifier.load(tmp_path)


@pytest.mark.parametrize("kind", ["t5", "llama", "bert", "xlnet"])
def test_a_max_length_that_the_config_does_not_name_is_read_where_the_model_can(kind: str, tmp_path: Path) -> None:
    save_classifier(kind, tmp_path)
    (tmp_path / "calibration.json").write_text('{"max_length": 500}')
    assert Classifier.load(tmp_path).max_length == (66 if kind == "bert" else 500)  # BERT has a table


@pytest.mark.parametrize("kind", ["roberta", "camembert", "gte"])
def test_a_type_that_the_model_has_no_embedding_of_is_left_out(kind: str, tmp_path: Path) -> None:
    save_classifier(kind, tmp_path, type_vocab_size=1)
    names = ["input_ids", "token_type_ids", "attention_mask"]
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_input_names": names}))
    assert 1 in AutoTokenizer.from_pretrained(tmp_path)("w1", "w2")["token_type_ids"]
    probabilities = Classifier.load(tmp_path).probabilities(TEXTS, ["w2"] * 4)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_input_names": [names[0], names[2]]}))
    np.testing.assert_allclose(probabilities, plain(tmp_path, "w2"), atol=1e-5)


@pytest.mark.parametrize("pairs", [(), ("w1 w3",)], ids=["texts", "pairs"])
def test_types_of_zero_that_the_model_looks_up_among_the_words(pairs: tuple[str, ...], tmp_path: Path) -> None:
    save_classifier("gpt2", tmp_path, pad_token_id=0)
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    BertTokenizer(vocab=vocabulary).save_pretrained(tmp_path)  # as Chinese GPT-2s have it
    assert "token_type_ids" in AutoTokenizer.from_pretrained(tmp_path)("w1")
    ours = Classifier.load(tmp_path).probabilities(TEXTS, list(pairs) * 4 or None)
    np.testing.assert_allclose(ours, plain(tmp_path, *pairs), atol=1e-5)


def test_a_text_with_a_token_beyond_the_embeddings_is_one_line(tmp_path: Path) -> None:
    save_classifier("bert", tmp_path, vocab_size=44)
    tokenizer = word_tokenizer(pad=True)
    tokenizer.add_special_tokens({"mask_token": "[MASK]"})
    tokenizer.save_pretrained(tmp_path)
    classifier = Classifier.load(tmp_path)
    assert len(classifier(TEXTS)) == 4
    with pytest.raises(ModelError, match=r"a text has the token '\[MASK\]' \(44\), and the model embeds ids below 44"):
        classifier(["w1 [MASK]"])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("kind", ["bert", "llama", "bart", "deberta-v2"])
def test_weights_of_16_or_64_bits_answer_the_same_alone_and_beside_others(
    kind: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    model = save_classifier(kind, tmp_path)
    model.to(dtype).save_pretrained(tmp_path)
    classifier = Classifier.load(tmp_path)
    together = classifier.probabilities(TEXTS)
    alone = np.vstack([classifier.probabilities([text]) for text in TEXTS])
    np.testing.assert_allclose(np.log(together), np.log(alone), atol=1e-5)
    peer = AutoModelForSequenceClassification.from_pretrained(tmp_path, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    with torch.no_grad():
        logits = [peer(**tokenizer(text, return_tensors="pt")).logits.softmax(-1)[0] for text in TEXTS]
    np.testing.assert_allclose(alone, torch.stack(logits).numpy(), atol=1e-5)


def test_a_config_that_can_not_be_computed_is_one_line(tmp_path: Path) -> None:
    save_classifier("roberta", tmp_path)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"pad_token_id": None}))
    with pytest.raises(
        ModelError, match=r"^roberta can't compute a text with the values of its config.json .*Correct config.json"
    ):
        Classifier.load(tmp_path)


def test_labels_in_a_list_are_named(tmp_path: Path) -> None:
    save_classifier("bert", tmp_path)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"id2label": ["a", "b", "c"]}))
    with pytest.raises(ModelError, match=r"config.json has id2label: .*expected an object"):
        Classifier.load(tmp_path)


def test_weights_under_another_name_are_named(tmp_path: Path) -> None:
    save_classifier("bert", tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "model.fp16.safetensors")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match=r"no model.safetensors, but model.fp16.safetensors. Rename it"):
        Classifier.load(tmp_path)
