"""The encoder's tokenizer files, and rows.parquet as download writes it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.stages.word_tokenizer import save_tokenizer


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    return save_tokenizer(tmp_path / "model")


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes rows.parquet of some columns; the others are filled in."""

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
