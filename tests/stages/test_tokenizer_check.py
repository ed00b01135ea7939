"""A tokenizer.json that could hang, fill the memory or fail at the first text is refused in one line."""

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from stages import tokenizer_check
from stages.errors import ModelError
from stages.inference.classifier import Classifier
from stages.tokenizer import encode, open_tokenizer
from tests.stages.word_tokenizer import WORDS, save_tokenizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_tokenizer(tmp_path / "model")


def change(folder: Path, **parts: Any) -> None:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | parts))


def replace(text: str, content: str, times: int = 1) -> dict[str, Any]:
    step = {"type": "Replace", "pattern": {"String": text}, "content": content}
    return {"type": "Sequence", "normalizers": [step] * times}


def charsmap(text: bytes) -> dict[str, Any]:
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(b"\4\0\0\0\0\0\0\0" + text).decode()}


def nested(step: dict[str, Any], depth: int) -> dict[str, Any]:
    for _ in range(depth):
        step = {"type": "Sequence", "normalizers": [step]}
    return step


def template(tokens: int, token_id: int = 2) -> dict[str, Any]:
    piece = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}
    rest = [{"Sequence": {"id": "A", "type_id": 0}}]
    special = {"[CLS]": {"id": "[CLS]", "ids": [token_id], "tokens": ["[CLS]"]}}
    pair = [*rest, {"Sequence": {"id": "B", "type_id": 1}}]
    kind = {"type": "TemplateProcessing", "special_tokens": special}
    return kind | {"single": [piece] * tokens + rest, "pair": [piece] * tokens + pair}


def words(vocabulary: dict[str, int], **values: Any) -> dict[str, Any]:
    return {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"} | values


VOCABULARY = {word: index for index, word in enumerate(WORDS)}
SPLIT = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
added = {"id": 11, "content": "lll", "single_word": False, "lstrip": False, "rstrip": False, "special": False}
HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "a letter replaced by a thousand, four times": (
        {"normalizer": replace("l", "l" * 1_000, 4)},
        "can turn one character into 1,000,000,000,000, expected 50",
    ),
    "the same in an added token, which is opened with it": (
        {"normalizer": replace("l", "l" * 1_000, 4), "added_tokens": [added | {"normalized": True}]},
        "can turn one character into 1,000,000,000,000",
    ),
    "an expression replaced": (
        {"normalizer": {"type": "Replace", "pattern": {"Regex": ""}, "content": "l" * 100}},
        "can turn one character into 101",
    ),
    "a long replacement in a charsmap": ({"normalizer": charsmap(b"l" * 100)}, "can turn one character into 100"),
    "bytes of bytes": (
        {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}] * 8}},
        "can turn one character into 256",
    ),
    "steps of both kinds": (
        {
            "normalizer": replace("l", "l" * 30),
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}]},
        },
        "can turn one character into 60",
    ),
    "a long start": ({"normalizer": {"type": "Prepend", "prepend": "l" * 101}}, "puts more than 100 characters before"),
    "many steps": ({"normalizer": replace("l", "l", 51)}, "sequence of too many steps"),
    "deep steps": ({"normalizer": nested({"type": "Lowercase"}, 11)}, "sequence of too many steps"),
    "a damaged charsmap": (
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
        "tokenizer.json can't be used",
    ),
    "many special tokens": ({"post_processor": template(100_000)}, "adds 100,000 tokens to a text, expected 100"),
    "a special token beyond the vocabulary": (
        {"post_processor": template(1, 99)},
        "adds the token 99, but its last token is 10",
    ),
    "a special token beyond 32 bits": ({"post_processor": template(1, 4 * 10**9)}, "adds the token 4000000000"),
    "an unknown token that is not in the vocabulary": (
        {"model": words(VOCABULARY, unk_token="<unk>")},
        r"tokenizer.json can't be used: .*Missing \[UNK\] token",
    ),
    "no unknown token": (
        {"model": {"type": "Unigram", "unk_id": None, "vocab": [["a", 0.0], ["b", 0.0]], "byte_fallback": False}},
        "tokenizer.json can't be used: .*unk",
    ),
    "long words in time with their square": (
        {
            "model": {
                "type": "WordPiece",
                "vocab": VOCABULARY,
                "unk_token": "[UNK]",
                "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 10**9,
            }
        },
        "max_input_chars_per_word: 1000000000, expected 10,000 at most",
    ),
    "a list": ({"normalizer": []}, "tokenizer.json can't be used"),
    "an unknown step": ({"normalizer": {"type": "Unknown"}}, "tokenizer.json can't be used"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_tokenizer_is_refused_when_it_is_opened(folder: Path, case: str) -> None:
    parts, message = HOSTILE[case]
    change(folder, **parts)
    with pytest.raises(ModelError, match=message) as error:
        open_tokenizer(folder)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1_000


def test_an_expression_that_takes_too_long_is_one_line(folder: Path) -> None:
    change(folder, pre_tokenizer=SPLIT)
    tokenizer = open_tokenizer(folder)
    with pytest.raises(ModelError, match="the model: tokenizer.json can't be used: .*") as error:
        encode(tokenizer, ["a" * 60 + "b"], pairs=False, max_length=9, truncation="head")
    assert "\n" not in str(error.value)


def test_special_tokens_that_leave_no_room_are_one_line(folder: Path) -> None:
    tokenizer = open_tokenizer(folder)
    assert encode(tokenizer, ["a b"], pairs=False, max_length=2, truncation="head")[0].row(0).tolist() == [2, 3]
    with pytest.raises(ModelError, match="adds 2 tokens to a text, and 1 are read"):
        encode(tokenizer, ["a b"], pairs=False, max_length=1, truncation="head")


STEPS: dict[str, Callable[[Tokenizer], None]] = {
    "BERT": lambda t: setattr(t, "normalizer", normalizers.BertNormalizer()),
    "Llama": lambda t: setattr(
        t, "normalizer", normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    ),
    "GPT-2": lambda t: setattr(t, "pre_tokenizer", pre_tokenizers.ByteLevel()),
    "T5": lambda t: setattr(t, "pre_tokenizer", pre_tokenizers.Metaspace()),
    "none": lambda t: (setattr(t, "normalizer", None), setattr(t, "pre_tokenizer", None))[0],
    "BPE that leaves out what it does not know": lambda t: setattr(t, "model", models.BPE({"a": 0, "b": 1}, [])),
}


@pytest.mark.parametrize("name", STEPS)
def test_steps_of_published_tokenizers_are_taken(folder: Path, name: str) -> None:
    path = folder / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    STEPS[name](tokenizer)
    if "BPE" in name:
        tokenizer.post_processor = None
    tokenizer.save(str(path))
    tokens, _ = encode(open_tokenizer(folder), ["a b"], pairs=False, max_length=9, truncation="head")
    assert len(tokens.row(0))


def test_the_growth_of_xlm_r_is_allowed(folder: Path) -> None:
    """Its charsmap makes 18 characters of one, and then runs of blanks become one character."""
    blanks = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}
    steps = [charsmap("ﷺ".encode() + b"\0" + b"x" * 18), blanks]
    growth = tokenizer_check._growth({"type": "Sequence", "normalizers": steps}, "theirs")
    assert growth == 36 <= tokenizer_check.MOST_GROWTH


def test_a_token_without_an_embedding_is_refused_where_the_model_is_used(model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "model"))
    content = json.loads((copy / "tokenizer.json").read_text())
    content["model"]["vocab"]["zebra"] = 999_999
    (copy / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"the tokenizer has the token 999999, and the model \d+ embeddings"):
        Classifier.load(copy)
    assert np.isfinite(Classifier.load(model).probabilities(["zebra"])).all()
