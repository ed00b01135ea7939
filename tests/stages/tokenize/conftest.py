"""A tokenizer of a few words with BERT's frame, and rows.parquet as download writes it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "d", "e", "f", "g"]


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """A folder with tokenizer.json (which asks for truncation and padding of its own) and tokenizer_config.json."""
    folder = tmp_path / "model"
    folder.mkdir()
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 512, "unk_token": "[UNK]"}))
    return folder


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., Path]:
    """Write rows.parquet of the given columns; what is left out is filled in."""

    def write(text: list[str], labels: list[str] | None = None, **columns: list[Any]) -> Path:
        count = len(text)
        names = labels or ["no", "yes"]
        table = pa.table(
            {
                "id": pa.array(columns.get("id", [str(number) for number in range(count)]), pa.string()),
                "text": pa.array(text, pa.string()),
                "text_pair": pa.array(columns.get("text_pair", [None] * count), pa.string()),
                "label": pa.array(columns.get("label", (names * count)[:count]), pa.string()),
                "group": pa.array([None] * count, pa.string()),
                "split": pa.array([None] * count, pa.string()),
                "text_key": pa.array(range(count), pa.int64()),
                "cluster": pa.array([None] * count, pa.int64()),
            }
        )
        path = tmp_path / "rows.parquet"
        pq.write_table(table.replace_schema_metadata({"labels": json.dumps(names)}), path)
        return path

    return write
