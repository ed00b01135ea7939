"""A model's tokenizer is opened without its own truncation and padding, and rows are encoded and cut."""

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, normalizers

from stages.errors import ModelError
from stages.tokenizer import ModelTokenizer, encode, open_tokenizer
from tests.stages.word_tokenizer import save_tokenizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_tokenizer(tmp_path / "model")


def test_padding_and_truncation_of_tokenizer_json_are_off(folder: Path) -> None:
    opened = open_tokenizer(folder)
    assert opened.tokenizer.truncation is None
    assert opened.tokenizer.padding is None


@pytest.mark.parametrize(
    ("config", "max_length", "unk_token_id"),
    [
        ({"model_max_length": 512, "unk_token": "[UNK]"}, 512, 1),
        ({"model_max_length": 1e30, "unk_token": {"content": "[UNK]"}}, None, 1),
        ({"model_max_length": "many", "unk_token": "<unk>"}, None, None),
        ({}, None, None),
        (None, None, None),
    ],
)
def test_the_limit_and_the_unknown_token_are_read(
    folder: Path, config: dict[str, object] | None, max_length: int | None, unk_token_id: int | None
) -> None:
    (folder / "tokenizer_config.json").unlink()
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    opened = open_tokenizer(folder)
    assert (opened.max_length, opened.unk_token_id) == (max_length, unk_token_id)


def test_a_damaged_or_missing_tokenizer_is_named(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer.json can't be used: .* Fetch or save the model again"):
        open_tokenizer(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"tokenizer.json is missing. Save the model's fast tokenizer there"):
        open_tokenizer(folder)


@pytest.mark.parametrize(("pairs", "rows"), [(False, "a letter"), (True, "a pair of letters")])
def test_a_tokenizer_without_tokens_is_refused(folder: Path, pairs: bool, rows: str) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.normalizer = normalizers.Replace("a", "")
    texts = [("b", "b")] if pairs else ["b"]
    with pytest.raises(ModelError, match=f"no token for {rows}, so it can't be the encoder's"):
        encode(ModelTokenizer(tokenizer, None, None), texts, pairs=pairs, max_length=9, truncation="head")


def test_rows_are_encoded_cut_and_padded(folder: Path) -> None:
    texts = ["a b", "A zebra c d e", ""]
    tokens, cut = encode(open_tokenizer(folder), texts, pairs=False, max_length=5, truncation="tail")
    assert [tokens.row(row).tolist() for row in range(3)] == [[2, 4, 5, 3], [2, 6, 7, 8, 3], [2, 3]]
    assert tokens.lengths.tolist() == [4, 5, 2]
    assert cut.tolist() == [0, 2, 0]
    batch = tokens.pad(np.array([2, 0]), pad_token_id=9)
    assert batch["input_ids"].tolist() == [[2, 3, 9, 9], [2, 4, 5, 3]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert "token_type_ids" not in batch


def test_pairs_have_the_types_of_their_tokens(folder: Path) -> None:
    texts = [("a b c d e", "f g"), ("a", "b")]
    tokens, cut = encode(open_tokenizer(folder), texts, pairs=True, max_length=7, truncation="head")
    assert [tokens.row(row).tolist() for row in range(2)] == [[2, 4, 5, 3, 9, 10, 3], [2, 4, 3, 5, 3]]
    assert tokens.pad(np.array([0, 1]), pad_token_id=0)["token_type_ids"].tolist() == [
        [0, 0, 0, 0, 1, 1, 1],
        [0, 0, 0, 1, 1, 0, 0],
    ]
    assert cut.tolist() == [3, 0]
