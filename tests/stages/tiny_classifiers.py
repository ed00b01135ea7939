"""Tiny random classifiers of transformers' architectures, by the name of their type, and folders of them."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerFast

WORDS = [f"w{number}" for number in range(40)]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
SIZES: dict[int, str] = {  # of any config that has the key
    2: "num_hidden_layers n_layer n_layers num_layers encoder_layers decoder_layers num_decoder_layers "
    "num_key_value_heads num_experts num_local_experts",
    4: "num_attention_heads n_head n_heads num_heads encoder_attention_heads decoder_attention_heads rotary_dim",
    8: "head_dim d_head d_kv attention_head_size local_attention",
    32: "hidden_size d_model n_embd dim emb_dim word_embed_proj_dim embedding_size intra_bottleneck_size "
    "true_hidden_size input_embedding_size output_embedding_size entity_emb_size moe_intermediate_size",
    64: "intermediate_size d_ff d_inner dff hidden_dim encoder_ffn_dim decoder_ffn_dim ffn_dim n_inner",
    66: "max_position_embeddings n_positions max_seq_len",
    1: "num_experts_per_tok num_hidden_groups",
    10: "entity_vocab_size",
}
IDS = {"bos_token_id": 2, "cls_token_id": 2, "decoder_start_token_id": 2, "eos_token_id": 3, "sep_token_id": 3}
OWN: dict[str, dict[str, Any]] = {  # what an architecture needs beside
    "xlm": {"pad_index": 0, "eos_index": 3, "bos_index": 2},
    "flaubert": {"pad_index": 0, "eos_index": 3, "bos_index": 2},
    "longformer": {"attention_window": [8, 8]},
    "funnel": {"block_sizes": [1, 1], "n_layer": None},
    "esm": {"vocab_size": 60, "pad_token_id": 0, "mask_token_id": 1, "position_embedding_type": "absolute"},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 8},
    "t5": {"decoder_start_token_id": 0},
    "xlnet": {"max_position_embeddings": None},
    "big_bird": {"block_size": 2, "num_random_blocks": 1},  # sparse from 14 tokens on
}


def tiny_classifier(kind: str, **changes: Any) -> PreTrainedModel:
    """Return a random classifier of an architecture in eval mode, whose weights are so large that all parts matter."""
    default = AutoConfig.for_model(kind)
    values: dict[str, Any] = {
        key: size for size, keys in SIZES.items() for key in keys.split() if hasattr(default, key)
    } | {"vocab_size": 60, "num_labels": 3}
    values |= {key: number for key, number in IDS.items() if getattr(default, key, None) is not None}
    values |= {"pad_token_id": 0} if getattr(default, "pad_token_id", None) is not None else {}
    values = {key: value for key, value in (values | OWN.get(kind, {}) | changes).items() if value is not None}
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForSequenceClassification.from_config(  # type: ignore[no-untyped-call]
        AutoConfig.for_model(kind, **values)
    )
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def letter_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of letters in the form of Qwen2's, whose class AutoTokenizer takes whatever the files name."""
    letters = [*SPECIAL, "Ġ", *"abw0123456789"]
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate([*letters, "Ġw"])}, [("Ġ", "w")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="[SEP]")


def word_tokenizer(*, pad: bool) -> PreTrainedTokenizerFast:
    """Return a tokenizer of words that writes [CLS] text [SEP], with or without a token to pad with."""
    vocabulary = {word: number for number, word in enumerate(SPECIAL + WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in SPECIAL[1:]])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"unk_token": "[UNK]", "bos_token": "[CLS]", "eos_token": "[SEP]"} | ({"pad_token": "[PAD]"} if pad else {})
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def save_classifier(kind: str, folder: Path, **changes: Any) -> PreTrainedModel:
    """Save a tiny classifier with a tokenizer, which has a pad token if the architecture's config has one."""
    model = tiny_classifier(kind, **changes)
    model.save_pretrained(folder)
    has_pad = getattr(model.config, "pad_token_id", None) is not None
    tokenizer = letter_tokenizer() if kind == "qwen2" else word_tokenizer(pad=has_pad)
    tokenizer.save_pretrained(folder)
    return model
