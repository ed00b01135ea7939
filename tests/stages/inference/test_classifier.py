"""The Classifier: texts to labels, probabilities and embeddings."""

import dataclasses
import json
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoTokenizer, pipeline

from stages.errors import DataError, ModelError
from stages.inference.classifier import Classifier
from stages.inference.loading import load_model
from stages.paths import Paths

TEXTS = [
    "good app",
    "bad bad crash money",
    "win free money call",
    "nice",
    "later ok dinner love hate slow fast",
    "nice",
]


@pytest.fixture
def folder(copy_project: Paths) -> Path:
    return copy_project.finetuned(1)


def calibrate(folder: Path, **values: object) -> Path:
    (folder / "calibration.json").write_text(json.dumps(values))
    return folder


def test_labels_and_probabilities_are_those_of_transformers(project: Paths) -> None:
    folder = project.finetuned(1)
    predictions = Classifier.load(folder)(TEXTS)
    peer = pipeline("text-classification", str(folder), top_k=None)(TEXTS)
    for ours, theirs in zip(predictions, peer, strict=True):
        expected = {entry["label"]: entry["score"] for entry in theirs}
        assert ours.label == theirs[0]["label"]
        assert ours.probability == ours.probabilities[ours.label]
        assert ours.probabilities == pytest.approx(expected, abs=1e-5)
    assert {prediction.label for prediction in predictions} <= {"ham", "spam"}


def test_a_folder_is_a_string_too_and_no_text_is_no_prediction(project: Paths) -> None:
    assert Classifier.load(str(project.finetuned(1)))([]) == []


def test_order_stands_and_equal_texts_are_computed_once(project: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = Classifier.load(project.finetuned(1))
    seen: list[int] = []
    original = classifier._tokenizer.tokenizer.encode_batch_fast

    class Spy:
        def __getattr__(self, name: str) -> object:
            return getattr(original.__self__, name)

        def encode_batch_fast(self, texts: list[str]) -> object:
            seen.append(len(texts))
            return original(texts)

    monkeypatch.setattr(classifier, "_tokenizer", dataclasses.replace(classifier._tokenizer, tokenizer=Spy()))
    many = [TEXTS[index % 5] for index in range(300)]
    probabilities = classifier.probabilities(many)
    assert seen == [5]
    np.testing.assert_allclose(
        probabilities[:5], np.vstack([classifier.probabilities([text]) for text in many[:5]]), atol=1e-6
    )
    np.testing.assert_array_equal(probabilities[5:10], probabilities[:5])


def test_windows_change_nothing(project: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = Classifier.load(project.finetuned(1))
    whole = classifier.probabilities(TEXTS)
    monkeypatch.setattr("stages.texts.WINDOW_ROWS", 2)
    np.testing.assert_allclose(classifier.probabilities(TEXTS), whole, atol=1e-6)
    monkeypatch.setattr("stages.texts.WINDOW_CHARACTERS", 10)
    np.testing.assert_allclose(classifier.probabilities(TEXTS), whole, atol=1e-6)


def test_the_temperature_flattens_and_the_threshold_decides(folder: Path) -> None:
    plain = Classifier.load(folder).probabilities(TEXTS)
    warm = Classifier.load(calibrate(folder, temperature=3.0)).probabilities(TEXTS)
    expected = torch.from_numpy(plain).log().div(3).softmax(-1).numpy()
    np.testing.assert_allclose(warm, expected, atol=1e-5)
    middle = float(np.median(warm[:, 1]))
    predictions = Classifier.load(calibrate(folder, temperature=3.0, threshold=middle, positive="spam"))(TEXTS)
    assert [prediction.label == "spam" for prediction in predictions] == (warm[:, 1] >= np.float32(middle)).tolist()
    assert [p.probability for p in predictions] == pytest.approx([p.probabilities[p.label] for p in predictions])
    assert min(p.probability for p in predictions) < 0.5 or middle == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperature": 0}, r"calibration\.json: temperature: .*greater than or equal to 0.000001.*not 0"),
        ({"temperature": 1e-300}, r"calibration\.json: temperature: .*greater than or equal to 0.000001.*not 1e-300"),
        ({"temperature": float("inf")}, r"calibration\.json: temperature: .*finite number.*not inf"),
        ({"max_length": 1}, r"max_length: .*not 1"),
        ({"threshold": 1.5, "positive": "spam"}, r"calibration\.json: threshold: .*less than or equal to 1.*not 1.5"),
        ({"threshold": -0.1, "positive": "spam"}, r"calibration\.json: threshold: .*greater than or equal to 0"),
        ({"threshold": float("nan"), "positive": "spam"}, r"calibration\.json: threshold: .*not nan"),
        ({"half_width": -1.0}, r"calibration\.json: half_width: .*greater than or equal to 0"),
        ({"half_width": float("inf")}, r"calibration\.json: half_width: .*finite number"),
        ({"temperature": "warm"}, r"calibration\.json: temperature: .*not 'warm'"),
        ({"threshold": 0.4}, r"threshold is for the label None of a binary task, but the model's labels are ham, spam"),
        (
            {"threshold": 0.4, "positive": "eggs"},
            r"threshold is for the label 'eggs' of a binary task, but the .* labels are ham, spam",
        ),
        ({"positive": "eggs"}, r"calibration\.json: positive is 'eggs', but the model's labels are ham, spam\. Write"),
        ({"truncation": "middle"}, r"truncation: .*not 'middle'"),
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(folder: Path, values: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Classifier.load(calibrate(folder, **values))


def test_a_calibration_that_is_no_json_is_refused(folder: Path) -> None:
    (folder / "calibration.json").write_text("{")
    with pytest.raises(ModelError, match=r"calibration\.json is not JSON"):
        Classifier.load(folder)


@pytest.mark.parametrize(("truncation", "kept"), [("head", slice(0, 4)), ("tail", slice(8, 12)), ("head_tail", None)])
def test_a_long_text_is_cut_as_in_training_and_counted(folder: Path, truncation: str, kept: slice | None) -> None:
    words = ["good", "bad", "slow", "fast", "love", "hate", "crash", "update", "money", "free", "call", "win"]
    classifier = Classifier.load(calibrate(folder, max_length=6, truncation=truncation))
    short = " ".join(words[kept] if kept else words[:2] + words[-2:])
    np.testing.assert_allclose(
        classifier.probabilities([" ".join(words), "good", " ".join(words)])[[0, 2]],
        Classifier.load(folder).probabilities([short] * 2),
        atol=1e-6,
    )
    assert classifier.rows_cut == 2


def test_a_text_of_a_megabyte_is_cut(folder: Path) -> None:
    classifier = Classifier.load(folder)
    prediction = classifier(["good " * 200_000])[0]
    assert classifier.rows_cut == 1
    assert prediction.probabilities == pytest.approx(
        classifier(["good " * (classifier.max_length - 2)])[0].probabilities
    )


def test_embeddings_are_the_mean_over_the_tokens(project: Paths) -> None:
    folder = project.finetuned(1)
    embeddings = Classifier.load(folder).embed(TEXTS)
    assert embeddings.shape == (len(TEXTS), 16)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), load_model(folder)
    for text, embedding in zip(TEXTS, embeddings, strict=True):
        with torch.inference_mode():
            hidden = model.bert(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        np.testing.assert_allclose(embedding, hidden.mean(0).numpy(), atol=1e-5)


@pytest.mark.parametrize("sequence", [tuple, np.array, pd.Series])
def test_texts_and_pairs_may_be_any_sequence(project: Paths, sequence: Callable[[list[str]], Sequence[str]]) -> None:
    classifier = Classifier.load(project.finetuned(1))
    texts, pairs = ["good app", "bad", "good"], ["slow crash call", "ok", "ok"]
    expected = classifier.probabilities(texts, pairs)
    np.testing.assert_array_equal(classifier.probabilities(sequence(texts), sequence(pairs)), expected)
    with pytest.raises(DataError, match="text_pair 2 of 3: text is empty"):
        classifier(texts, sequence(["a", "", "b"]))


def test_pairs_are_read_as_pairs(project: Paths) -> None:
    folder = project.finetuned(1)
    ours = Classifier.load(folder)(["good app", "bad"], ["slow crash call", "ok"])
    peer = pipeline("text-classification", str(folder), top_k=None)
    for prediction, text, pair in zip(ours, ["good app", "bad"], ["slow crash call", "ok"], strict=True):
        expected = peer({"text": text, "text_pair": pair})
        assert prediction.probabilities == pytest.approx({e["label"]: e["score"] for e in expected}, abs=1e-5)


@pytest.mark.parametrize(
    ("texts", "pairs", "message"),
    [
        (["good", " "], None, "text 2 of 2: text is empty"),
        (["good", None], None, "text 2 of 2: text is missing"),
        ([5], None, "text 1 of 1: expected a string, got int"),
        (["\ud800"], None, "text 1 of 1: text is not valid Unicode"),
        ("good", None, r"expected a list of texts, got one text"),
        (["a", "b"], ["c"], "2 texts but 1 text_pairs"),
        (["a"], [""], "text_pair 1 of 1: text is empty"),
    ],
)
def test_texts_that_are_none_are_named(project: Paths, texts: list[str], pairs: list[str] | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Classifier.load(project.finetuned(1))(texts, pairs)


def test_a_tokenizer_that_is_missing_or_damaged_is_named(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer.json can't be used"):
        Classifier.load(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"tokenizer\.json is missing"):
        Classifier.load(folder)


@pytest.mark.parametrize("change", [{"problem_type": "ranking"}, {"id2label": {"0": "score"}}])
def test_a_model_that_chooses_no_label_is_refused(folder: Path, change: dict[str, object]) -> None:
    config = json.loads((folder / "config.json").read_text()) | change
    if "id2label" in change:  # one output: regression
        model = load_model(folder)
        model.classifier = torch.nn.Linear(16, 1)
        model.config.num_labels = 1
        model.save_pretrained(folder)
    else:
        (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="does not choose one label of several"):
        Classifier.load(folder)


def test_damaged_weights_do_not_become_labels(folder: Path) -> None:
    model = load_model(folder)
    torch.nn.init.constant_(model.classifier.bias, float("nan"))
    model.save_pretrained(folder)
    with pytest.raises(ModelError, match="outputs are NaN or infinite"):
        Classifier.load(folder)(["good"])


@pytest.mark.parametrize("threads", [1, 2])
def test_callers_in_several_threads_get_what_each_gets_alone(project: Paths, threads: int) -> None:
    """As a web server calls it; a copy that another process unpickled can be shared, too."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for classifier in (loaded := Classifier.load(project.finetuned(1)), pickle.loads(pickle.dumps(loaded))):
            expected, vectors = classifier.probabilities(TEXTS), classifier.embed(TEXTS)

            def ask(number: int) -> bool:
                order = np.random.default_rng(number).permutation(len(TEXTS))
                texts = [TEXTS[index] for index in order]
                if number % 2:
                    return np.allclose(classifier.embed(texts), vectors[order], atol=1e-5)  # noqa: B023
                return np.allclose(classifier.probabilities(texts), expected[order], atol=1e-5)  # noqa: B023

            with ThreadPoolExecutor(4) as pool:
                assert all(pool.map(ask, range(200)))
    finally:
        torch.set_num_threads(before)
