"""Texts of any origin, checked and turned into the token ids that the tokenize stage would give them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from stages.errors import DataError, ModelError
from stages.truncation import frame_of, kept

WINDOW_ROWS = 4_096  # rows that are sorted by length together, and among which equal texts are computed once
WINDOW_CHARACTERS = 2_000_000  # a window ends there too: an encoding takes some hundred bytes per token

Batch = dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Rows:
    """Token ids of some texts.

    Args:
        columns: input_ids (and token_type_ids for pairs) of each text, unpadded.
        lengths: Tokens of each; shape (rows,).
        cut: Was it longer than allowed? Shape (rows,).
    """

    columns: dict[str, list[list[int]]]
    lengths: NDArray[np.int64]
    cut: NDArray[np.bool_]

    def pad(self, indices: NDArray[np.int64], *, pad_token_id: int) -> Batch:
        """Return a batch padded on the right to its own longest row, each column (batch, tokens)."""
        lengths = self.lengths[indices]
        mask = np.arange(lengths.max()) < lengths[:, None]
        batch = {"attention_mask": mask.astype(np.int64)}
        for name, rows in self.columns.items():
            batch[name] = np.full(mask.shape, pad_token_id if name == "input_ids" else 0, dtype=np.int64)
            batch[name][mask] = np.concatenate([np.asarray(rows[index], dtype=np.int64) for index in indices])
        return batch


def open_tokenizer(folder: Path) -> Tokenizer:
    """Open a model folder's tokenizer, with its own truncation and padding off.

    Raises:
        ModelError: tokenizer.json is missing or damaged.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ModelError(f"{path} is missing. Save the model's fast tokenizer there: tokenizer.save_pretrained(...)")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise ModelError(f"{path} is no tokenizer: {error}. Save the model's tokenizer again.") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Sequence[Any], *, pairs: bool, max_length: int, truncation: str) -> Rows:
    """Encode texts, or (text, text_pair) tuples, and cut what is too long.

    Args:
        tokenizer: With truncation and padding off.
        texts: What `text_problem` finds nothing wrong with.
        pairs: Are they tuples?
        max_length: Tokens per row, special tokens included.
        truncation: What stays of a longer row: head, tail or head_tail.
    """
    frame = frame_of(tokenizer, pairs=pairs)
    columns: dict[str, list[list[int]]] = {name: [] for name in (("input_ids", "token_type_ids")[: 1 + pairs])}
    cut = np.zeros(len(texts), dtype=np.bool_)
    for number, encoding in enumerate(tokenizer.encode_batch_fast(texts)):  # fast: no offsets into the text
        row = [encoding.ids, encoding.type_ids] if pairs else [encoding.ids]
        length = len(row[0])
        if length > max_length:
            first = encoding.sequence_ids.count(0) if pairs else length - frame.size
            sizes = (first, length - frame.size - first) if pairs else (first,)
            slices = kept(sizes, frame, max_length, truncation)
            row = [[token for part in slices for token in tokens[part]] for tokens in row]
            cut[number] = True
        for column, tokens in zip(columns.values(), row, strict=True):
            column.append(tokens)
    lengths = np.array([len(tokens) for tokens in columns["input_ids"]], dtype=np.int64)
    return Rows(columns, lengths, cut)


def windows(texts: Sequence[Any]) -> Iterator[slice]:
    """Yield slices of `texts`, one after the other, each of a bounded number of rows and characters."""
    start = characters = 0
    for number, text in enumerate(texts):
        size = len(text) if isinstance(text, str) else sum(map(len, text))
        if number > start and (number - start >= WINDOW_ROWS or characters + size > WINDOW_CHARACTERS):
            yield slice(start, number)
            start, characters = number, 0
        characters += size
    if start < len(texts):
        yield slice(start, len(texts))


def text_problem(text: object) -> str | None:
    """Return why `text` can't be classified, or None where it can."""
    if text is None:
        return "text is missing"
    if not isinstance(text, str):
        return f"text is no string but {type(text).__name__}"
    if not text or text.isspace():
        return "text is empty"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "text is not valid Unicode"
    return None


def check_texts(texts: Sequence[object], text_pairs: Sequence[object] | None) -> None:
    """Check texts that must all be good.

    Raises:
        DataError: One is not, or there is not a pair for each.
    """
    if isinstance(texts, str):
        raise DataError(f"one text ({texts[:40]!r}) is given where a list of texts is needed. Put it in brackets.")
    if text_pairs is not None and len(text_pairs) != len(texts):
        raise DataError(f"{len(texts)} texts but {len(text_pairs)} text_pairs. Give one for each.")
    for name, values in (("text", texts), ("text_pair", text_pairs or ())):
        for number, text in enumerate(values):
            problem = text_problem(text)
            if problem:
                raise DataError(f"{name} {number + 1} of {len(values)}: {problem}. Give each row a text.")
