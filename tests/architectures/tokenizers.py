"""Small tokenizers of the kinds that the architectures use, by transformers' own classes, trained on the sample."""

import csv
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

SAMPLE = Path(__file__).parents[2] / "data/samples/app_reviews.csv"
TOKENS = 300  # of a vocabulary, special ones included; 256 of a byte-level one are single bytes
BYTES = 340
POSITIONS = 64  # tokens that each tiny model reads


@functools.cache
def sample_texts() -> list[str]:
    """Return the texts of the bundled reviews."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return [row["content"] for row in csv.DictReader(file)]


# Class of transformers: the special tokens at the start of its vocabulary, in the order of its published ones.
BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
WORD_PIECES = {
    "BertTokenizer": BERT,
    "MPNetTokenizer": ROBERTA,
    "FunnelTokenizer": ("<pad>", "<unk>", "<cls>", "<sep>", "<mask>", "<s>", "</s>"),
}
BYTE_PAIRS = {
    "RobertaTokenizer": ROBERTA,
    "LukeTokenizer": ROBERTA,
    "DebertaTokenizer": BERT,
    "GPT2Tokenizer": ("<|endoftext|>",),
    "GPTNeoXTokenizer": ("<|endoftext|>",),
    "Qwen2Tokenizer": ("<|endoftext|>",),
}
PIECES = {
    "AlbertTokenizer": ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"),
    "DebertaV2Tokenizer": ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"),
    "BigBirdTokenizer": ("<pad>", "</s>", "<s>", "<unk>", "[SEP]", "[CLS]", "[MASK]"),
    "XLMRobertaTokenizer": ROBERTA,
    "CamembertTokenizer": ROBERTA,
    "MBartTokenizer": (*ROBERTA, "en_XX"),
    "XLNetTokenizer": ("<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"),
    "T5Tokenizer": ("<pad>", "</s>", "<unk>"),
    "PegasusTokenizer": ("<pad>", "</s>", "<unk>", "<mask_1>", "<mask_2>"),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "T5Tokenizer": {"extra_ids": 0},
    "PegasusTokenizer": {"offset": 0},
    "MBartTokenizer": {"src_lang": "en_XX"},
    "DebertaV2Tokenizer": {"unk_id": 3},
    "GPTNeoXTokenizer": {"pad_token": None},  # as published
}


def make_tokenizer(kind: str) -> PreTrainedTokenizerBase:
    """Return a new tokenizer of a kind: the name of a class of transformers, or of one of OWN."""
    if kind in OWN:
        tokenizer = OWN[kind]()
    elif kind in WORD_PIECES:
        tokenizer = _class(kind)(vocab=_word_pieces(WORD_PIECES[kind]))
    elif kind in BYTE_PAIRS:
        vocabulary, merges = _byte_pairs(BYTE_PAIRS[kind])
        tokenizer = _class(kind)(vocab=dict(vocabulary), merges=list(merges), **OPTIONS.get(kind, {}))
    else:
        tokenizer = _class(kind)(vocab=list(_pieces(PIECES[kind])), **OPTIONS.get(kind, {}))
    tokenizer.model_max_length = POSITIONS
    return tokenizer


def _class(name: str) -> Any:
    return getattr(transformers, name)


@functools.cache
def _word_pieces(special: tuple[str, ...]) -> dict[str, int]:
    unknown = next(token for token in special if "unk" in token.lower())
    tokenizer = Tokenizer(models.WordPiece(unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=TOKENS, special_tokens=list(special), show_progress=False)
    tokenizer.train_from_iterator(sample_texts(), trainer)
    return tokenizer.get_vocab()


@functools.cache
def _byte_pairs(special: tuple[str, ...]) -> tuple[dict[str, int], tuple[tuple[str, str], ...]]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=BYTES,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sample_texts(), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], tuple(tuple(merge) for merge in model["merges"])


@functools.cache
def _pieces(special: tuple[str, ...]) -> list[tuple[str, float]]:
    unknown = next(token for token in special if "unk" in token.lower())
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=TOKENS, special_tokens=list(special), unk_token=unknown, show_progress=False
    )
    tokenizer.train_from_iterator(sample_texts(), trainer)
    return [(piece, score) for piece, score in json.loads(tokenizer.to_str())["model"]["vocab"]]


def _byte_level(special: tuple[str, ...], single: str, pair: str, **names: str) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer of no class of its own, whose template adds special tokens."""
    vocabulary, merges = _byte_pairs(special)
    tokenizer = Tokenizer(models.BPE(vocab=dict(vocabulary), merges=list(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens = [(token, vocabulary[token]) for token in special]
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=tokens)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def _llama() -> PreTrainedTokenizerFast:
    """As Llama's: a start token, and none for padding."""
    special = ("<s>", "</s>")
    return _byte_level(special, "<s> $A", "<s> $A <s>:1 $B:1", bos_token="<s>", eos_token="</s>")


def _gemma() -> PreTrainedTokenizerFast:
    """As Gemma's: a start token, and one for padding, on the left."""
    special = ("<pad>", "<eos>", "<bos>", "<unk>")
    names = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return _byte_level(special, "<bos> $A", "<bos> $A <bos>:1 $B:1", padding_side="left", **names)


def _modernbert() -> PreTrainedTokenizerFast:
    special = ("[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]")
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    return _byte_level(special, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", mask_token="[MASK]", **names)


def _xlm() -> PreTrainedTokenizerFast:
    """As XLM's: the end token on both sides."""
    special = ("<s>", "</s>", "<pad>", "<unk>")
    names = {"bos_token": "<s>", "cls_token": "</s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return _byte_level(special, "</s> $A </s>", "</s> $A </s> $B:1 </s>:1", **names)


def _rembert() -> PreTrainedTokenizerBase:
    """As the published one: transformers' class adds no special tokens where it makes a tokenizer anew."""
    special = ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
    tokenizer = _class("RemBertTokenizer")(vocab=list(_pieces(special)))
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


OWN: dict[str, Callable[[], PreTrainedTokenizerBase]] = {
    "llama": _llama,
    "gemma": _gemma,
    "modernbert": _modernbert,
    "xlm": _xlm,
    "rembert": _rembert,
    "canine": lambda: _class("CanineTokenizer")(),
    "perceiver": lambda: _class("PerceiverTokenizer")(),
}
