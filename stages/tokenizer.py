"""A model's tokenizer: opened with its own truncation and padding off, and texts encoded and cut to a length."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from stages import long_texts
from stages.errors import ModelError
from stages.model_config import read_object, token_text
from stages.model_files import REPAIR, is_present
from stages.texts import windows
from stages.tokenizer_check import tokenizer_errors
from stages.tokenizer_file import open_tokenizer_file
from stages.tokens import Tokens
from stages.truncation import SpecialTokens, count_special_tokens, kept_slices

UNBOUNDED = 1_000_000  # tokens; tokenizer_config.json says 1e30 where no limit is known
NO_LABEL = -100  # what torch's losses ignore


@dataclass(frozen=True)
class ModelTokenizer:
    """The tokenizer of a model folder, with its own truncation and padding off.

    Args:
        tokenizer: The tokenizer itself.
        max_length: Tokens of a row that the model takes at most; None: its files do not say.
        unk_token_id: Id of the token for unknown words; None: the tokenizer has none.
        pad_token_id: Id of the token that it pads with; None: it has none.
        token_types: Does the model read the tokens' types?
        zero_types: Does it read them even if all are 0?
    """

    tokenizer: Tokenizer
    max_length: int | None
    unk_token_id: int | None
    pad_token_id: int | None = None
    token_types: bool = True
    zero_types: bool = False

    def writes_types(self, *, pairs: bool) -> bool:
        """Return whether rows have token types: the model reads them, and they say something."""
        if not self.token_types or self.zero_types:
            return self.token_types
        encoding = self.tokenizer.encode("a", "b") if pairs else self.tokenizer.encode("a")
        return any(encoding.type_ids)


def open_tokenizer(folder: Path) -> ModelTokenizer:
    """Open the tokenizer of a model folder: tokenizer.json, and tokenizer_config.json where there is one.

    Raises:
        ModelError: tokenizer.json is missing or damaged, can't encode a letter, or lets texts grow without bounds.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    path, name = folder / "tokenizer.json", str(folder)
    if not is_present(path, name):
        raise ModelError(f"{path} is missing. Save the model's fast tokenizer there: tokenizer.save_pretrained(...)")
    tokenizer = open_tokenizer_file(path, name)
    config_path = folder / "tokenizer_config.json"
    config = read_object(config_path, name) if is_present(config_path, name) else {}
    names = [token_text(config.get(key)) for key in ("unk_token", "pad_token")]
    unk_token_id, pad_token_id = (tokenizer.token_to_id(name) if name else None for name in names)
    inputs = config.get("model_input_names")  # download@model has written it
    token_types = not isinstance(inputs, list) or "token_type_ids" in inputs
    max_length = text_limit(config.get("model_max_length"))
    return ModelTokenizer(tokenizer, max_length, unk_token_id, pad_token_id, token_types)


def text_limit(model_max_length: Any) -> int | None:
    """Return how many tokens of a row the model takes, as `model_max_length` says; None: it does not."""
    limited = isinstance(model_max_length, int | float) and 0 < model_max_length < UNBOUNDED
    return int(model_max_length) if limited else None


def encode(
    opened: ModelTokenizer, texts: Sequence[Any], *, pairs: bool, max_length: int, truncation: str
) -> tuple[Tokens, NDArray[np.int64]]:
    """Encode texts, or (text, text_pair) tuples, and cut the rows that are too long.

    Of a text of more than LONG_TEXT characters, only the parts that can be kept are tokenized. Of a pair of two such
    texts, either may get the odd token.

    Args:
        opened: The tokenizer.
        texts: At least one; strings, or tuples of two strings.
        pairs: Are they tuples?
        max_length: Tokens per row, special tokens included.
        truncation: What is kept of a longer row: head, tail or head_tail.

    Returns:
        The rows' tokens, without labels; and how many tokens were cut from each, shape (rows,). Those of a text of more
        than LONG_TEXT characters are estimated from the part that was tokenized.

    Raises:
        ModelError: The tokenizer can't encode a text, or its special tokens are more than `max_length`.
    """
    with tokenizer_errors("the model"):
        return _encode(opened, texts, pairs=pairs, max_length=max_length, truncation=truncation)


def _encode(
    opened: ModelTokenizer, texts: Sequence[Any], *, pairs: bool, max_length: int, truncation: str
) -> tuple[Tokens, NDArray[np.int64]]:
    tokenizer, with_types = opened.tokenizer, opened.writes_types(pairs=pairs)
    special = count_special_tokens(tokenizer, pairs=pairs)
    if special.count > max_length:
        raise ModelError(f"The tokenizer adds {special.count} tokens to a text, and {max_length} are read. {REPAIR}")
    input_ids: list[Sequence[int]] = []
    token_type_ids: list[Sequence[int]] = []
    cut = np.zeros(len(texts), dtype=np.int64)
    bounded = [_bounded(text, tokenizer, max_length, truncation) for text in texts]
    encodings = (
        encoding
        for window in windows(bounded)  # an encoding takes some hundred bytes per token
        for encoding in tokenizer.encode_batch_fast(bounded[window])  # fast: without offsets into the text
    )
    for row, encoding in enumerate(encodings):
        ids, types = encoding.ids, encoding.type_ids if with_types else []
        if len(ids) > max_length:
            cut[row] = len(ids) * _characters(texts[row]) // _characters(bounded[row]) - max_length
            slices = _slices(encoding.sequence_ids, special, pairs, max_length, truncation)
            ids, types = _take(ids, slices), _take(types, slices)
        input_ids.append(ids)
        token_type_ids.append(types)
    lengths = np.fromiter(map(len, input_ids), dtype=np.int64, count=len(texts))
    tokens = Tokens(
        labels=np.full(len(texts), NO_LABEL, dtype=np.int64),
        lengths=lengths,
        starts=np.cumsum(lengths) - lengths,
        chunks=np.zeros(len(texts), dtype=np.int64),
        input_ids=[_flat(input_ids, lengths, np.dtype(np.int32))],
        token_type_ids=[_flat(token_type_ids, lengths, np.dtype(np.int8))] if with_types else [],
    )
    return tokens, cut


def _bounded(text: Any, tokenizer: Tokenizer, max_length: int, truncation: str) -> Any:
    """Return a text, or a tuple of two, without what truncation surely cuts."""
    if isinstance(text, tuple):
        return tuple(_bounded(part, tokenizer, max_length, truncation) for part in text)
    if len(text) <= long_texts.LONG_TEXT:
        return text

    def count_tokens(piece: str) -> int:
        return len(tokenizer.encode_batch_fast([piece], add_special_tokens=False)[0])

    return long_texts.shorten(text, count_tokens=count_tokens, max_length=max_length, truncation=truncation)


def _characters(text: Any) -> int:
    return sum(map(len, text)) if isinstance(text, tuple) else len(text)


def _slices(
    sequence_ids: list[int | None], special: SpecialTokens, pairs: bool, max_length: int, truncation: str
) -> list[slice]:
    """Slices of a row's tokens that are kept; `sequence_ids` says which text each token is of."""
    texts = len(sequence_ids) - special.count  # tokens
    first = sequence_ids.count(0) if pairs else texts
    lengths = (first, texts - first) if pairs else (first,)
    return kept_slices(lengths, special, max_length, truncation)


def _take(values: Sequence[int], slices: Sequence[slice]) -> list[int]:
    return list(chain.from_iterable(values[part] for part in slices))


def _flat(rows: Sequence[Sequence[int]], lengths: NDArray[np.int64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The rows' values one after the other; shape (tokens,)."""
    values: Iterator[int] = chain.from_iterable(rows)
    return np.fromiter(values, dtype=dtype, count=int(lengths.sum()))
