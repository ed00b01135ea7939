"""A small data set of tokens and tiny encoders, as the stages before finetune would leave them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    BertModel,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    GPT2Config,
    ModernBertConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
)

from stages.files import write_json
from stages.paths import Paths
from stages.tokens import TOKENS_FILE, Tokens, open_tokens

LABELS = ["bad", "fair", "good"]
VOCABULARY = 60

SPECIAL = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}


def write_tokens(
    paths: Paths, *, rows: int = 120, longest: int = 20, seed: int = 0, ends_inside: bool = False
) -> Tokens:
    """Write rows whose label shows in their tokens: word 10 + label stands among random ones.

    With `ends_inside`, every third text has an end token within.
    """
    random = np.random.default_rng(seed)
    labels = random.integers(len(LABELS), size=rows)
    ids = [_sentence(random, int(label), longest) for label in labels]
    if ends_inside:
        ids[::3] = [[*row[:2], SPECIAL["[SEP]"], *row[2:]] for row in ids[::3]]
    table = pa.table(
        {
            "id": [f"r{row}" for row in range(rows)],
            "label": pa.array(labels, pa.int32()),
            "group": pa.nulls(rows, pa.string()),
            "split": pa.nulls(rows, pa.string()),
            "text_key": [str(row) for row in range(rows)],
            "input_ids": pa.array(ids, pa.list_(pa.int32())),
        }
    )
    paths.tokens.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(paths.tokens / TOKENS_FILE), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=50)
    write_json(paths.labels, LABELS)
    order = random.permutation(rows)
    write_split(paths, "val", order[: rows // 4])
    write_split(paths, "train", order[rows // 4 :])
    return open_tokens(paths.tokens)


def write_split(paths: Paths, name: str, positions: NDArray[np.int64]) -> None:
    paths.split(name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"position": pa.array(np.sort(positions), pa.int64())}), paths.split(name))


def write_encoder(folder: Path, *, positions: int = 32, vocabulary: int = VOCABULARY, dropout: float = 0.1) -> None:
    """Write a random BERT of two small layers with its tokenizer."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=positions,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    BertModel(config).save_pretrained(folder)
    write_tokenizer(folder)


def write_tokenizer(folder: Path) -> None:
    """Write a tokenizer of as many words as VOCABULARY has."""
    words = SPECIAL | {f"w{index}": index for index in range(len(SPECIAL), VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)


def tiny_models() -> dict[str, PreTrainedModel]:
    """Return random classifiers of eight architectures, by the name of their type."""
    common: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 40,
        "num_labels": len(LABELS),
        "pad_token_id": 0,
    }
    small = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 40}
    ends = {"cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
    configs = [
        BertConfig(**common),
        DistilBertConfig(vocab_size=VOCABULARY, num_labels=len(LABELS), **small),
        AlbertConfig(embedding_size=8, **common),
        RobertaConfig(**common),
        DebertaV2Config(relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=8, **common),
        ModernBertConfig(global_attn_every_n_layers=2, local_attention=8, **ends, **common),
        ElectraConfig(embedding_size=8, **common),
        GPT2Config(
            vocab_size=VOCABULARY,
            n_embd=16,
            n_layer=2,
            n_head=2,
            n_positions=40,
            num_labels=len(LABELS),
            eos_token_id=3,
        ),
    ]
    torch.manual_seed(0)
    return {config.model_type: AutoModelForSequenceClassification.from_config(config) for config in configs}


def _sentence(random: np.random.Generator, label: int, longest: int) -> list[int]:
    words = random.integers(20, VOCABULARY, size=int(random.integers(1, longest - 2)))
    words[random.integers(len(words))] = 10 + label
    return [SPECIAL["[CLS]"], *map(int, words), SPECIAL["[SEP]"]]
