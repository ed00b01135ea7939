"""Whatever files a tokenizer came as, the encoder's folder gives AutoTokenizer and retune the same tokens."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from transformers import AlbertTokenizer, AutoTokenizer

from stages.download.tokenizer_files import complete_tokenizer
from stages.errors import ModelError
from stages.inference.tokenizer import open_auto_tokenizer
from stages.model_files import SENTENCEPIECE
from stages.tokenizer import encode, open_tokenizer
from tests.stages.tiny_classifiers import word_tokenizer

TEXTS = ["good app", "Bad app, crashes  every day!", "naïve café", "win free money", "hello"]
PAIRS = ["love it", "hate", "good", "a b", "never again"]
WORDS = ["good", "bad", "app", "hello", "##s", "crash", ",", "!", "a", "b", "love", "hate", "it"]
SENTENCEPIECES = {  # type of the model -> its file, and the model of SentencePiece
    "albert": ("spiece.model", "unigram"),
    "camembert": ("sentencepiece.bpe.model", "unigram"),
    "deberta-v2": ("spm.model", "unigram"),
    "llama": ("tokenizer.model", "bpe"),
    "mbart": ("sentencepiece.bpe.model", "unigram"),
    "rembert": ("sentencepiece.model", "unigram"),
    "t5": ("spiece.model", "unigram"),
    "xlm-roberta": ("sentencepiece.bpe.model", "unigram"),
    "xlnet": ("spiece.model", "unigram"),
}
LISTS = ("bert", "distilbert", "electra", "mpnet", "funnel")  # vocab.txt
MERGES = ("gpt2", "roberta", "qwen2", "bart", "deberta", "longformer")  # vocab.json and merges.txt


def folder_of(tmp_path: Path, kind: str, **config: Any) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": kind, "vocab_size": 4_000} | config))
    return folder


def write_sentencepiece(path: Path, kind: str) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([*TEXTS, *PAIRS] * 3),
            model_writer=file,
            vocab_size=60,
            hard_vocab_limit=False,
            model_type=kind,
            user_defined_symbols=["[CLS]", "[SEP]", "[MASK]", "<pad>"],
            minloglevel=2,
        )


def write_list(folder: Path) -> None:
    special = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "<s>",
        "<pad>",
        "</s>",
        "<unk>",
        "<mask>",
        "<cls>",
        "<sep>",
    ]
    (folder / "vocab.txt").write_text("\n".join([*special, *WORDS]))


def write_merges(folder: Path) -> None:
    letters = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "<|endoftext|>", "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"]
    tokens = [*letters, *"abcdefghijklmnopqrstuvwxyzĠ,!", "Ġa", "oo", "goo", "good"]
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\nĠ a\no o\ng oo\ngoo d\n")


def assert_the_same_as_auto_tokenizer(folder: Path, before: Any) -> None:
    """Compare tokens of retune, and of AutoTokenizer on the completed folder, with those of AutoTokenizer before."""
    after = AutoTokenizer.from_pretrained(folder)
    for opened in (open_tokenizer(folder), open_auto_tokenizer(folder)):
        for pairs in (False, True):
            rows: list[Any] = list(zip(TEXTS, PAIRS, strict=True)) if pairs else TEXTS
            tokens, _ = encode(opened, rows, pairs=pairs, max_length=99, truncation="head")
            for number, row in enumerate(rows):
                arguments = row if pairs else (row,)
                assert tokens.row(number).tolist() == before(*arguments)["input_ids"] == after(*arguments)["input_ids"]
            types = after(*rows[0] if pairs else rows[:1]).get("token_type_ids", [])
            assert bool(tokens.token_type_ids) == any(types)


@pytest.mark.parametrize("kind", [*SENTENCEPIECES, *LISTS, *MERGES])
def test_a_vocabulary_alone_becomes_the_tokenizer_of_transformers(tmp_path: Path, kind: str) -> None:
    folder = folder_of(tmp_path, kind)
    if kind in SENTENCEPIECES:
        file, model = SENTENCEPIECES[kind]
        write_sentencepiece(folder / file, model)
    else:
        (write_list if kind in LISTS else write_merges)(folder)
    before = AutoTokenizer.from_pretrained(folder)
    complete_tokenizer(folder, kind)
    if kind == "rembert":  # transformers forgets its special tokens until there is a tokenizer.json
        before = AutoTokenizer.from_pretrained(folder)
        assert before("good").tokens()[0] == "[CLS]"
    assert_the_same_as_auto_tokenizer(folder, before)


@pytest.mark.parametrize("file", SENTENCEPIECE)
def test_the_package_that_is_missing_is_named(tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(tmp_path, "deberta-v2")
    (folder / file).write_bytes(b"")
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "sentencepiece" else find_spec(name))
    with pytest.raises(
        ModelError,
        match=rf"no tokenizer.json, only {file}, which the package sentencepiece reads. "
        r"Install it: pip install 'retune\[sentencepiece\]'",
    ):
        complete_tokenizer(folder, "the encoder")


@pytest.mark.parametrize("file", ["vocab.json", *SENTENCEPIECE])
def test_a_damaged_vocabulary_is_one_line(tmp_path: Path, file: str) -> None:
    pytest.importorskip("sentencepiece")
    folder = folder_of(tmp_path, "gpt2" if file == "vocab.json" else "xlm-roberta")
    (folder / file).write_bytes(b"\xff{no vocabulary")
    with pytest.raises(
        ModelError, match="Save the model's fast tokenizer there|looks for sentencepiece.bpe.model"
    ) as caught:
        complete_tokenizer(folder, "the encoder")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lower", [True, False])
def test_options_of_the_config_count_for_more_than_tokenizer_json(tmp_path: Path, lower: bool) -> None:
    folder = folder_of(tmp_path, "bert")
    write_list(folder)
    complete_tokenizer(folder, "the encoder")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"do_lower_case": lower}))
    before = AutoTokenizer.from_pretrained(folder)
    assert before.tokenize("Good") == (["good"] if lower else ["[UNK]"])
    unfinished = open_auto_tokenizer(folder)  # a model that did not come through download
    assert unfinished.tokenizer.encode("Good").tokens[1] == before.tokenize("Good")[0]
    complete_tokenizer(folder, "the encoder")
    assert_the_same_as_auto_tokenizer(folder, before)


@pytest.mark.parametrize(
    ("kind", "config", "written"),
    [
        ("bert", {"type_vocab_size": 2}, True),
        ("albert", {"type_vocab_size": 2}, True),
        ("roberta", {"type_vocab_size": 1}, False),
        ("deberta-v2", {"type_vocab_size": 0}, False),
        ("gpt2", {}, False),
        ("xlm", {}, False),
        ("distilbert", {}, False),
    ],
)
def test_pairs_have_types_where_the_model_has_embeddings_of_them(
    tmp_path: Path, kind: str, config: dict[str, int], written: bool
) -> None:
    folder = folder_of(tmp_path, kind, **config)
    word_tokenizer(pad=True).save_pretrained(folder)  # writes type 1
    complete_tokenizer(folder, kind)
    assert ("token_type_ids" in AutoTokenizer.from_pretrained(folder)("w1", "w2")) == written
    assert open_tokenizer(folder).writes_types(pairs=True) == written


def test_an_added_token_beyond_the_embeddings_is_taken_and_a_word_is_not(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "bert", vocab_size=44)
    tokenizer = word_tokenizer(pad=True)
    tokenizer.add_special_tokens({"mask_token": "[MASK]"})
    tokenizer.save_pretrained(folder)
    complete_tokenizer(folder, "the encoder")
    assert Tokenizer.from_file(str(folder / "tokenizer.json")).token_to_id("[MASK]") == 44
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "vocab_size": 43}))
    with pytest.raises(ModelError, match="the tokenizer has the token 43, and the model 43 embeddings"):
        complete_tokenizer(folder, "the encoder")


def test_files_of_another_folder_are_not_read(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "bert")
    write_list(folder)
    other = tmp_path / "other.txt"
    other.write_text("[UNK]\n[CLS]\n[SEP]\n[PAD]\nsecret")
    (folder / "tokenizer_config.json").write_text(json.dumps({"vocab_file": str(other), "tokenizer_file": str(other)}))
    complete_tokenizer(folder, "the encoder")
    assert Tokenizer.from_file(str(folder / "tokenizer.json")).token_to_id("secret") is None


def test_scores_whose_last_digit_changes_when_they_are_read_are_no_other_tokenizer(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "albert")
    special = [(token, 0.0) for token in ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")]
    scores = [("i", -3.7426586326501057), ("u", -3.8322623138461), ("G", -9.13451424258762), ("a", -3.0)]
    AlbertTokenizer(vocab=[*special, *scores]).save_pretrained(folder)
    complete_tokenizer(folder, "the encoder")
    assert open_tokenizer(folder).tokenizer.encode("i").tokens[0] == "[CLS]"


@pytest.mark.parametrize("limit", ["64", None, True, [64], {"a": 1}])
def test_a_limit_that_is_no_number_is_none(tmp_path: Path, limit: Any) -> None:
    """transformers would compare it with a number, in a TypeError."""
    folder = folder_of(tmp_path, "bert")
    word_tokenizer(pad=True).save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_max_length": limit}))
    complete_tokenizer(folder, "theirs")
    assert open_tokenizer(folder).max_length is None
    assert open_auto_tokenizer(folder).max_length is None
    assert AutoTokenizer.from_pretrained(folder)("w1 w2")["input_ids"]


def test_a_vocabulary_of_byte_pairs_without_its_merges_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "gpt2")
    (folder / "vocab.json").write_text('{"<|endoftext|>": 0, "a": 1}')
    with pytest.raises(ModelError, match=r"vocab.json is there without merges.txt. Save the model's fast tokenizer"):
        complete_tokenizer(folder, "theirs")
