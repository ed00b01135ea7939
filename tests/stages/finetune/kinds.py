"""Tiny random models of architectures that differ from BERT in a head, a name, a layer or an embedding."""

from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForSequenceClassification, PretrainedConfig, PreTrainedModel

from stages.paths import Paths
from tests.stages.finetune.tiny import LABELS, VOCABULARY, tiny_models

COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
}
SEQ2SEQ = {
    "vocab_size": VOCABULARY,
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 40,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "decoder_start_token_id": 2,
}
T5 = {
    "vocab_size": VOCABULARY,
    "d_model": 16,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": 2,
    "d_kv": 8,
    "d_ff": 32,
    "pad_token_id": 0,
    "eos_token_id": 3,
    "decoder_start_token_id": 0,
}
XLM = {
    "vocab_size": VOCABULARY,
    "emb_dim": 16,
    "n_layers": 2,
    "n_heads": 2,
    "max_position_embeddings": 40,
    "n_langs": 1,
}
XLM |= {"pad_index": 0, "pad_token_id": 0, "eos_index": 3, "bos_index": 2}
SPECIFIC: dict[str, dict[str, Any]] = {
    "albert": COMMON | {"embedding_size": 8},
    "bart": SEQ2SEQ,
    "bert": COMMON,
    "big_bird": COMMON | {"attention_type": "original_full"},
    "bigbird_pegasus": SEQ2SEQ | {"attention_type": "original_full"},
    "camembert": COMMON,
    "ctrl": {"vocab_size": VOCABULARY, "n_embd": 16, "n_layer": 2, "n_head": 2, "dff": 32, "n_positions": 40}
    | {"pad_token_id": 0},
    "deberta-v2": COMMON,
    "deepseek_v3": COMMON
    | {"kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8}
    | {"n_routed_experts": 4, "n_shared_experts": 1, "moe_intermediate_size": 16, "topk_group": 1, "n_group": 1}
    | {"num_experts_per_tok": 2, "first_k_dense_replace": 1},
    "distilbert": {"vocab_size": VOCABULARY, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    "electra": COMMON | {"embedding_size": 8},
    "falcon": {"vocab_size": VOCABULARY, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    | {"ffn_hidden_size": 32, "pad_token_id": 0},
    "flaubert": XLM,
    "fnet": COMMON,
    "funnel": {"vocab_size": VOCABULARY, "d_model": 16, "n_head": 2, "d_head": 8, "d_inner": 32, "pad_token_id": 0}
    | {"block_sizes": [1, 1], "num_decoder_layers": 1},
    "gpt2": {"vocab_size": VOCABULARY, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 40, "eos_token_id": 3}
    | {"pad_token_id": 0},
    "gte": COMMON,
    "ibert": COMMON,
    "longformer": COMMON | {"attention_window": [8, 8]},
    "luke": COMMON | {"entity_vocab_size": 8, "entity_emb_size": 16},
    "mbart": SEQ2SEQ,
    "mobilebert": COMMON | {"intra_bottleneck_size": 16, "embedding_size": 16, "true_hidden_size": 16},
    "modernbert": COMMON | {"cls_token_id": 2, "sep_token_id": 3, "local_attention": 8},
    "mpnet": COMMON,
    "mt5": T5,
    "nomic_bert": COMMON | {"head_dim": 8},
    "qwen2": COMMON | {"num_key_value_heads": 1},
    "roberta": COMMON,
    "roformer": COMMON | {"embedding_size": 16},
    "squeezebert": COMMON | {"embedding_size": 16},
    "t5": T5,
    "umt5": T5,
    "xlm": XLM,
    "xlnet": {"vocab_size": VOCABULARY, "d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32, "pad_token_id": 0},
}


def kind_config(kind: str, **changes: Any) -> PretrainedConfig:
    """Return a tiny config of an architecture; its classes are LABELS if nothing else is said."""
    config: PretrainedConfig = AutoConfig.for_model(kind, **{"num_labels": len(LABELS)} | SPECIFIC[kind] | changes)
    return config


def kind_model(kind: str, **changes: Any) -> PreTrainedModel:
    """Return a random classifier of an architecture, in eval mode, the same for every call."""
    torch.manual_seed(0)
    config = kind_config(kind, **changes)
    model: PreTrainedModel = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    return model.eval()


def place(paths: Paths, kind: str) -> None:
    """Put another architecture's encoder in the place of the tiny BERT; `bert without a pooler` lacks those weights."""
    for name in ("config.json", "model.safetensors"):
        (paths.encoder / name).unlink()
    name, _, lacks_pooler = kind.partition(" without ")
    (tiny_models().get(name) or kind_model(name)).base_model.save_pretrained(paths.encoder)
    if lacks_pooler:  # as the encoder of a masked language model
        weights = paths.encoder / "model.safetensors"
        kept = {name: weight for name, weight in load_file(weights).items() if not name.startswith("pooler.")}
        save_file(kept, weights, {"format": "pt"})
