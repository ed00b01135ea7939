"""The tokenizer of a saved model, as transformers opens it, and made to fit the model."""

import dataclasses
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from stages.auto_tokenizer import read_auto_tokenizer
from stages.errors import ModelError
from stages.model.padding import choose_pad_token
from stages.model.positions import max_tokens
from stages.model_files import VOCABULARIES, is_present
from stages.tokenizer import ModelTokenizer, open_tokenizer, text_limit
from stages.tokenizer_check import check_vocabulary
from stages.tokenizer_file import plain


def open_auto_tokenizer(folder: Path) -> ModelTokenizer:
    """Open the tokenizer of a folder as AutoTokenizer does; where that fails, as tokenizer.json says.

    Raises:
        ModelError: tokenizer.json is missing and can't be made, or the tokenizer can't be used.
    """
    name = str(folder)
    written = open_tokenizer(folder) if is_present(folder / "tokenizer.json", name) else None
    if written is None and not any(is_present(folder / file, name) for file in VOCABULARIES):
        return open_tokenizer(folder)  # says what is missing
    try:
        auto = read_auto_tokenizer(folder, name)
    except ModelError:
        if written is None:
            raise
        return written
    max_length, types = text_limit(auto.model_max_length), "token_type_ids" in auto.model_input_names
    tokenizer = plain(auto.backend_tokenizer, name)
    return ModelTokenizer(tokenizer, max_length, auto.unk_token_id, auto.pad_token_id, types)


def fit_tokenizer(opened: ModelTokenizer, model: PreTrainedModel, name: str) -> ModelTokenizer:
    """Check a tokenizer against its model, whose pad token is set if it has none; return it with the types it reads."""
    embeddings: Any = model.get_input_embeddings()
    check_vocabulary(opened.tokenizer, len(embeddings.weight), name)
    pad = getattr(model.config, "pad_token_id", None)
    if pad is None or not 0 <= pad < len(embeddings.weight):
        model.config.pad_token_id = choose_pad_token(model, opened.tokenizer, opened.pad_token_id)
    size = getattr(model.config, "type_vocab_size", None)
    highest = max(opened.tokenizer.encode("a", "b").type_ids, default=0)
    fits = size is None or size == 0 or highest < size
    return dataclasses.replace(opened, token_types=opened.token_types and fits, zero_types=size is None)


def longest_text(limit: int | None, model: PreTrainedModel) -> int:
    """Return how many tokens the model reads at most: the tokenizer's limit or the model's positions."""
    return min((int(value) for value in (limit, max_tokens(model)) if value), default=512)
