"""Every text classifier of transformers as a tiny random encoder: its config, and the kind of its tokenizer."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification, PreTrainedTokenizerBase

from tests.architectures.tokenizers import POSITIONS, make_tokenizer

WIDTH = 32
COMMON: dict[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": POSITIONS,
}
OFFSET = {"max_position_embeddings": POSITIONS + 2}  # positions start after the padding token's id, 1
SPECIAL = ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id")


@dataclass(frozen=True)
class Architecture:
    """How to make a tiny encoder.

    Args:
        tokenizer: See `make_tokenizer`.
        options: What its config has beside, or in place of, COMMON; a value of None leaves that key of COMMON out.
        alone: Why transformers' answer to a text depends on the padding beside it; empty: it does not.
    """

    tokenizer: str
    options: dict[str, Any] = field(default_factory=dict)
    alone: str = ""


def _seq2seq(tokenizer: str, **options: Any) -> Architecture:
    sizes = {f"{part}_{name}": value for part in ("encoder", "decoder") for name, value in SEQ2SEQ.items()}
    left_out = dict.fromkeys(("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"))
    return Architecture(tokenizer, left_out | {"d_model": WIDTH} | sizes | options)


SEQ2SEQ = {"layers": 2, "attention_heads": 4, "ffn_dim": 64}
T5 = {"d_model": WIDTH, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 4}
T5 |= {"decoder_start_token_id": 0} | dict.fromkeys(COMMON)  # its own names instead
CONVOLUTION = "its convolutions read the tokens beside a text, padding too"
HEADS = {"num_key_value_heads": 2, "head_dim": 8}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}

ARCHITECTURES: dict[str, Architecture] = {
    # BERT and its kin
    "bert": Architecture("BertTokenizer"),
    "albert": Architecture("AlbertTokenizer", {"embedding_size": 16}),
    "big_bird": Architecture("BigBirdTokenizer", {"block_size": 8}),
    "camembert": Architecture("CamembertTokenizer", OFFSET),
    "convbert": Architecture("BertTokenizer", {"embedding_size": 16, "conv_kernel_size": 3}, alone=CONVOLUTION),
    "data2vec-text": Architecture("RobertaTokenizer", OFFSET),
    "deberta": Architecture("DebertaTokenizer", {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}),
    "deberta-v2": Architecture(
        "DebertaV2Tokenizer", {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_buckets": 16}
    ),
    "distilbert": Architecture("BertTokenizer", {"hidden_dim": 64, "intermediate_size": None}),
    "electra": Architecture("BertTokenizer", {"embedding_size": 16}),
    "ernie": Architecture("BertTokenizer"),
    "esm": Architecture("BertTokenizer", {**OFFSET, "emb_layer_norm_before": False}),
    "eurobert": Architecture("modernbert", HEADS),
    "fnet": Architecture(
        "AlbertTokenizer", {"tpu_short_seq_length": POSITIONS}, alone="it mixes all tokens of a row and has no mask"
    ),
    "funnel": Architecture(
        "FunnelTokenizer",
        dict.fromkeys(COMMON) | {"block_sizes": [1, 1], "d_model": WIDTH, "n_head": 4, "d_head": 8, "d_inner": 64},
    ),
    "gte": Architecture("XLMRobertaTokenizer"),
    "ibert": Architecture("RobertaTokenizer", OFFSET),
    "jina_embeddings_v3": Architecture("XLMRobertaTokenizer", OFFSET),
    "longformer": Architecture("RobertaTokenizer", {**OFFSET, "attention_window": [8, 8]}),
    "luke": Architecture("LukeTokenizer", {**OFFSET, "entity_vocab_size": 10, "entity_emb_size": 8}),
    "megatron-bert": Architecture("BertTokenizer"),
    "mobilebert": Architecture(
        "BertTokenizer",
        {"embedding_size": WIDTH, "intra_bottleneck_size": 16, "num_feedforward_networks": 2},
        alone="the embedding of a token is made of those beside it, padding too",
    ),
    "modernbert": Architecture("modernbert", {"global_attn_every_n_layers": 2, "local_attention": 8}),
    "mpnet": Architecture("MPNetTokenizer", OFFSET),
    "mra": Architecture("RobertaTokenizer", OFFSET),
    "nomic_bert": Architecture("BertTokenizer"),
    "nystromformer": Architecture(
        "AlbertTokenizer", {"num_landmarks": POSITIONS, "segment_means_seq_len": POSITIONS}, alone=CONVOLUTION
    ),
    "rembert": Architecture("rembert", {"input_embedding_size": 16, "output_embedding_size": 16}),
    "roberta": Architecture("RobertaTokenizer", OFFSET),
    "roberta-prelayernorm": Architecture("RobertaTokenizer", OFFSET),
    "roc_bert": Architecture("BertTokenizer", {"pronunciation_embed_dim": 8, "shape_embed_dim": 8}),
    "roformer": Architecture("BertTokenizer"),
    "squeezebert": Architecture("BertTokenizer", {"embedding_size": WIDTH}),
    "xlm-roberta": Architecture("XLMRobertaTokenizer", OFFSET),
    "xlm-roberta-xl": Architecture("XLMRobertaTokenizer", OFFSET),
    "xmod": Architecture("XLMRobertaTokenizer", {**OFFSET, "languages": ["en_XX"], "default_language": "en_XX"}),
    "yoso": Architecture("AlbertTokenizer", {"use_expectation": True}, alone="its attention counts padding too"),
    # XL and XLM
    "flaubert": Architecture("xlm", {"intermediate_size": None}),
    "xlm": Architecture("xlm", {"intermediate_size": None}),
    "xlnet": Architecture(
        "XLNetTokenizer", dict.fromkeys(COMMON) | {"d_model": WIDTH, "n_layer": 2, "n_head": 4, "d_inner": 64}
    ),
    # encoders with a decoder
    "bart": _seq2seq("RobertaTokenizer"),
    "bigbird_pegasus": _seq2seq("PegasusTokenizer", attention_type="original_full"),
    "mbart": _seq2seq("MBartTokenizer"),
    "mvp": _seq2seq("RobertaTokenizer", prompt_length=4, prompt_mid_dim=8),
    "mt5": Architecture("T5Tokenizer", T5),
    "plbart": _seq2seq("RobertaTokenizer"),
    "t5": Architecture("T5Tokenizer", T5),
    "umt5": Architecture("T5Tokenizer", T5),
    # decoders
    "arcee": Architecture("llama", HEADS),
    "biogpt": Architecture("llama"),
    "bloom": Architecture("llama", {"n_head": 4, "num_attention_heads": None}),
    "ctrl": Architecture("GPT2Tokenizer", {"dff": 64, "intermediate_size": None}),
    "deepseek_v2": Architecture(
        "llama",
        {"kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8}
        | {"n_routed_experts": 4, "n_shared_experts": 1, "moe_intermediate_size": 32, "topk_group": 1, "n_group": 1}
        | {"num_experts_per_tok": 2, "first_k_dense_replace": 1, "head_dim": 8},
    ),
    "deepseek_v3": Architecture(
        "llama",
        {"kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8}
        | {"n_routed_experts": 4, "n_shared_experts": 1, "moe_intermediate_size": 32, "topk_group": 1, "n_group": 1}
        | {"num_experts_per_tok": 2, "first_k_dense_replace": 1},
    ),
    "diffllama": Architecture("llama", HEADS),
    "doge": Architecture("llama", {"num_key_value_heads": 2, "num_experts": 16}),
    "exaone4": Architecture("llama", {**HEADS, "sliding_window": 16}),
    "falcon": Architecture("GPT2Tokenizer", {"intermediate_size": None}),
    "gemma": Architecture("gemma", HEADS),
    "gemma2": Architecture("gemma", {**HEADS, "sliding_window": 16}),
    "gemma3_text": Architecture("gemma", {**HEADS, "sliding_window": 16}),
    "glm": Architecture("llama", HEADS),
    "glm4": Architecture("llama", HEADS),
    "gpt2": Architecture("GPT2Tokenizer", {"intermediate_size": None}),
    "gpt_bigcode": Architecture("GPT2Tokenizer", {"intermediate_size": None}),
    "gpt_neo": Architecture("GPT2Tokenizer", {"attention_types": [[["global", "local"], 1]], "window_size": 8}),
    "gpt_neox": Architecture("GPTNeoXTokenizer"),
    "gpt_oss": Architecture("llama", {**HEADS, "num_local_experts": 4, "sliding_window": 16}),
    "gptj": Architecture("GPT2Tokenizer", {"rotary_dim": 4, "intermediate_size": None}),
    "helium": Architecture("llama", HEADS),
    "hunyuan_v1_dense": Architecture("llama", HEADS),
    "jamba": Architecture("llama", {"num_key_value_heads": 2, "attn_layer_period": 2, "attn_layer_offset": 1}),
    "jetmoe": Architecture(
        "llama", {"kv_channels": 8, "num_key_value_heads": 2, "num_local_experts": 4, "num_attention_heads": None}
    ),
    "llama": Architecture("llama", {"num_key_value_heads": 2}),
    "minicpm3": Architecture(
        "llama", {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8}
    ),
    "minimax": Architecture("llama", {**HEADS, "num_local_experts": 4, "block_size": 16}),
    "ministral": Architecture("llama", HEADS),
    "ministral3": Architecture("llama", HEADS),
    "mistral": Architecture("llama", {**HEADS, "sliding_window": 16}),
    "mixtral": Architecture("llama", {**HEADS, "num_local_experts": 4}),
    "modernbert-decoder": Architecture("modernbert", {"global_attn_every_n_layers": 2, "local_attention": 8}),
    "mpt": Architecture(
        "GPTNeoXTokenizer",
        dict.fromkeys(COMMON) | {"d_model": WIDTH, "n_heads": 4, "n_layers": 2, "expansion_ratio": 2},
    ),
    "nemotron": Architecture("llama", HEADS),
    "olmo": Architecture("GPTNeoXTokenizer", {"num_key_value_heads": 2}),
    "olmo2": Architecture("GPT2Tokenizer", {"num_key_value_heads": 2}),
    "olmo3": Architecture("GPT2Tokenizer", {"num_key_value_heads": 2, "sliding_window": 16}),
    "openai-gpt": Architecture("GPT2Tokenizer", {"intermediate_size": None}),
    "opt": Architecture("RobertaTokenizer", {"ffn_dim": 64, "intermediate_size": None, "word_embed_proj_dim": WIDTH}),
    "persimmon": Architecture("llama"),
    "phi": Architecture("GPT2Tokenizer"),
    "phi3": Architecture("llama", {"num_key_value_heads": 2}),
    "phimoe": Architecture("llama", {"num_key_value_heads": 2, "num_local_experts": 4}),
    "qwen2": Architecture("Qwen2Tokenizer", {"num_key_value_heads": 2}),
    "qwen2_moe": Architecture(
        "Qwen2Tokenizer", EXPERTS | {"shared_expert_intermediate_size": 32, "num_key_value_heads": 2}
    ),
    "qwen3": Architecture("Qwen2Tokenizer", HEADS),
    "qwen3_moe": Architecture("Qwen2Tokenizer", HEADS | EXPERTS),
    "seed_oss": Architecture("llama", HEADS),
    "smollm3": Architecture("llama", {"num_key_value_heads": 2}),
    "stablelm": Architecture("GPTNeoXTokenizer", {"num_key_value_heads": 2}),
    "starcoder2": Architecture("GPT2Tokenizer", {"num_key_value_heads": 2}),
    # characters and bytes
    "canine": Architecture("canine", {"num_hash_buckets": 64, "local_transformer_stride": 8}),
    "perceiver": Architecture(
        "perceiver", {"d_latents": WIDTH, "num_latents": 8, "d_model": WIDTH, "num_self_attends_per_block": 2}
    ),
}

# Classifiers of transformers that the matrix leaves out, and why.
LEFT_OUT = {
    **dict.fromkeys(("layoutlm", "layoutlmv2", "layoutlmv3", "lilt"), "reads the places of words on a page"),
    "markuplm": "reads the tags of a web page",
    "tapas": "reads tables",
    **dict.fromkeys(("gemma3", "modernvbert", "qwen3_5", "t5gemma2", "ultravbert"), "reads pictures as well"),
    "esmc": "reads proteins, with a tokenizer of its own",
    "gpt-sw3": "is GPT-2 by another name",
    "reformer": "is trained on sequences of one length",
    **dict.fromkeys(("axk1", "axk2", "cohere_compass_text", "hunyuan_v1_moe", "mistral4"), "not made small yet"),
    **dict.fromkeys(("qwen3_5_text", "qwen3_next", "t5gemma", "ultrabert", "zamba", "zamba2"), "not made small yet"),
}


def save_encoder(name: str, folder: Path) -> None:
    """Write a random encoder and its tokenizer as `save_pretrained` does; the classifier's head is not among them."""
    tokenizer = make_tokenizer(ARCHITECTURES[name].tokenizer)
    classifier(name, tokenizer).base_model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def classifier(name: str, tokenizer: PreTrainedTokenizerBase) -> Any:
    """Return a random classifier.

    The weights are as large as those of a trained model, so that a token that should not count changes the answer.
    """
    torch.manual_seed(0)
    model: Any = AutoModelForSequenceClassification.from_config(_config(name, tokenizer))
    with torch.no_grad():
        for weights in model.parameters():
            if weights.ndim > 1:
                torch.nn.init.normal_(weights, std=1 / math.sqrt(WIDTH))
    return model


def _config(name: str, tokenizer: PreTrainedTokenizerBase) -> Any:
    values: dict[str, Any] = COMMON | {"vocab_size": len(tokenizer)} | ARCHITECTURES[name].options
    known = {key: getattr(tokenizer, key, None) for key in SPECIAL}
    values |= {key: value for key, value in known.items() if value is not None or key == "pad_token_id"}
    return CONFIG_MAPPING[name](**{key: value for key, value in values.items() if value is not None or key in SPECIAL})
