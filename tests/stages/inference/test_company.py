"""The answer to a text does not depend on the texts beside it, and is the one that plain transformers gives."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer, pipeline

from stages.download.encoder import copy_encoder
from stages.finetune.encoder import load_encoder, save_model
from stages.inference.classifier import Classifier
from tests.stages.tiny_classifiers import save_classifier

LABELS = ["bad", "fair", "good"]
TEXTS = ["w3 w4 w5", " ".join(f"w{number}" for number in range(30)), "w9", "w7 w8 w1 w2 w0"]
PAIRS = ["w8 w2", "w1", " ".join(f"w{number}" for number in range(20, 36)), "w4 w30"]

ENCODERS = (  # MRA is left out: without its CUDA kernels it reads nothing
    "albert bert big_bird camembert convbert data2vec-text deberta deberta-v2 distilbert electra ernie fnet gte ibert "
    "jina_embeddings_v3 longformer luke megatron-bert mobilebert modernbert mpnet nomic_bert nystromformer rembert "
    "roberta roberta-prelayernorm roformer squeezebert xlm xlm-roberta xlm-roberta-xl xlnet yoso flaubert eurobert"
)
DECODERS = (
    "biogpt bloom ctrl diffllama gemma gemma2 glm gpt2 gpt_bigcode gpt_neo gpt_neox gptj llama ministral mistral "
    "mixtral modernbert-decoder mpt nemotron olmo olmo2 openai-gpt opt persimmon phi phi3 qwen2 qwen3 smollm3 stablelm "
    "starcoder2"
)
BOTH = "bart mbart mvp plbart t5 mt5 umt5"
ITS_OWN_PRODUCTS = ("ibert", "squeezebert")  # of whole numbers, and by convolutions
READ_PADDING = ("convbert", "fnet", "mobilebert", "nystromformer", "yoso")  # in plain transformers as well


@pytest.fixture(scope="module", params=f"{ENCODERS} {DECODERS} {BOTH}".split())
def tuned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    kind = request.param
    return kind, tune(kind, tmp_path_factory.mktemp("model"))


def tune(kind: str, folder: Path, **options: str) -> Path:
    """Return the folder of an encoder that went through download and finetune, without its training."""
    save_classifier(kind, folder / "source", **options)
    (folder / "encoder").mkdir()
    copy_encoder(folder / "source", folder / "encoder", source=kind, sha256=None, revision=None)
    model = load_encoder(folder / "encoder", labels=LABELS).eval()
    for name, parameter in model.named_parameters():  # the head is new, and so small that texts would hardly differ
        if not name.startswith(f"{model.base_model_prefix}.") and parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.1)
    save_model(model, folder / "tuned", encoder=folder / "encoder")
    return folder / "tuned"


def alone(classifier: Classifier, texts: list[str], pairs: list[str] | None = None) -> np.ndarray:
    rows = [classifier.probabilities([text], pairs and [pairs[row]]) for row, text in enumerate(texts)]
    return np.log(np.vstack(rows))


def plain(folder: Path, texts: list[str], pairs: list[str] | None = None, batch_size: int = 1) -> np.ndarray:
    peer = pipeline("text-classification", str(folder), top_k=None, truncation=True, batch_size=batch_size)
    inputs = [{"text": text, "text_pair": pairs[row]} for row, text in enumerate(texts)] if pairs else texts
    answers = [{entry["label"]: entry["score"] for entry in answer} for answer in peer(inputs)]
    return np.log([[answer[label] for label in LABELS] for answer in answers])


def test_alone_beside_others_and_in_plain_transformers(tuned: tuple[str, Path]) -> None:
    kind, folder = tuned
    classifier = Classifier.load(folder)
    expected = alone(classifier, TEXTS)
    assert np.ptp(expected, axis=0).max() > 0.01
    np.testing.assert_allclose(np.log(classifier.probabilities(TEXTS)), expected, atol=1e-5)
    np.testing.assert_allclose(plain(folder, TEXTS), expected, atol=1e-5)
    in_batches = plain(folder, TEXTS, batch_size=len(TEXTS))  # more than layers
    if kind in READ_PADDING:
        assert np.abs(in_batches - expected).max() > 1e-4
    else:
        np.testing.assert_allclose(in_batches, expected, atol=1e-5)


def test_in_bf16_it_is_near_float32_and_does_not_depend_on_the_texts_beside_it(
    tuned: tuple[str, Path], bf16_units: None
) -> None:
    kind, folder = tuned
    random = np.random.default_rng(0)
    texts = [" ".join(f"w{word}" for word in random.integers(0, 40, length)) for length in random.integers(1, 24, 60)]
    exact, rounded = alone(Classifier.load(folder, precision="32"), texts), Classifier.load(folder)
    answers = alone(rounded, texts)
    tolerance = 1e-3 if kind == "xlnet" else 1e-5  # whose products in float32 run over the rows of a batch, too
    np.testing.assert_allclose(np.log(rounded.probabilities(texts)), answers, atol=tolerance)
    difference = np.abs(answers - exact)
    assert np.median(difference) < 0.1  # of single texts Mixtral asks another expert
    assert (difference.max() > 0) == (kind not in ITS_OWN_PRODUCTS)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", READ_PADDING)
@pytest.mark.parametrize("words", [None, 200, 47, 14])  # 64 fit; with 47 there is room for a little padding
def test_answers_and_embeddings_do_not_depend_on_the_texts_of_an_earlier_call(
    kind: str, layers: int, words: int | None, tmp_path: Path
) -> None:
    save_classifier(kind, tmp_path, num_hidden_layers=layers)
    classifier, fresh = (Classifier.load(tmp_path, precision="32") for _ in range(2))
    texts = [*TEXTS, " ".join(f"w{number}" for number in range(3, 18))]
    for compute, alone in (
        (classifier.probabilities, fresh.probabilities),
        (classifier.embed, fresh.embed),
    ):
        if words is not None:
            compute([" ".join(f"w{number % 40}" for number in range(words + more)) for more in range(2)])
        expected = np.vstack([alone([text]) for text in texts])
        np.testing.assert_allclose(compute(texts), expected, atol=1e-5 * np.abs(expected).max())


SUMMARIES = [  # of XLNet's config; others keep the key, and have no use for it
    *[("xlnet", summary) for summary in ("last", "first", "cls_index")],
    *[(kind, summary) for kind in ("bert", "gpt2", "electra") for summary in ("last", "first", "cls_index")],
    ("xlm", "first"),
]


@pytest.mark.parametrize(("kind", "summary"), SUMMARIES)
def test_padding_is_on_the_side_where_the_head_does_not_read(kind: str, summary: str, tmp_path: Path) -> None:
    folder = tune(kind, tmp_path, summary_type=summary)
    classifier = Classifier.load(folder)
    expected = alone(classifier, TEXTS)
    for answers in (np.log(classifier.probabilities(TEXTS)), plain(folder, TEXTS), plain(folder, TEXTS, batch_size=4)):
        np.testing.assert_allclose(answers, expected, atol=1e-5)


def test_pairs_in_plain_transformers(tuned: tuple[str, Path]) -> None:
    _, folder = tuned
    classifier = Classifier.load(folder)
    expected = alone(classifier, TEXTS, PAIRS)
    np.testing.assert_allclose(np.log(classifier.probabilities(TEXTS, PAIRS)), expected, atol=1e-5)
    np.testing.assert_allclose(plain(folder, TEXTS, PAIRS), expected, atol=1e-5)


def test_a_long_text_is_cut_to_what_the_model_reads(tuned: tuple[str, Path]) -> None:
    _, folder = tuned
    long = ["w3 w4 w5 " * 400]
    limit = AutoTokenizer.from_pretrained(folder).model_max_length
    if limit < 1_000:  # else the architecture has no limit
        np.testing.assert_allclose(plain(folder, long), alone(Classifier.load(folder), long), atol=1e-5)


def test_config_and_tokenizer_pad_with_the_same_token(tuned: tuple[str, Path]) -> None:
    _, folder = tuned
    config, tokenizer = (json.loads((folder / f"{name}.json").read_text()) for name in ("config", "tokenizer_config"))
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert vocabulary.token_to_id(tokenizer["pad_token"]) == config["pad_token_id"] < config["vocab_size"]
    assert tokenizer["padding_side"] in ("right", "left")
