"""Refuses a tokenizer.json that would take minutes, all memory, or end in an error with the first text."""

import base64
import binascii
import contextlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from stages.errors import ModelError, RetuneError
from stages.model_config import read_object
from stages.model_files import REPAIR

LARGEST = 200_000_000  # bytes; that of Gemma 3 has 33 MB
MOST_GROWTH = 50  # times as many characters, after all steps; T5 and XLM-R have 36
LONGEST_PREFIX = 100  # characters that are put before a text
LONGEST_WORD = 10_000  # characters of a word that WordPiece looks at, in time with their square; BERT has 100
MOST_STEPS, DEEPEST = 50, 10  # of normalizers and pre-tokenizers
MOST_SPECIAL = 100  # tokens that are added to a text
RARE = "\ue000"  # of no language: a tokenizer must have a token for what it does not know, or leave it out


def check_tokenizer_file(path: Path, name: str) -> None:
    """Check the steps of a tokenizer.json before it is opened, which can already run them.

    Raises:
        ModelError: The file is too large, no JSON, or lets texts grow without bounds.
    """
    content = read_object(path, name, largest=LARGEST)
    growth = prod(_growth(content.get(key), name) for key in ("normalizer", "pre_tokenizer"))
    if growth > MOST_GROWTH:
        raise ModelError(
            f"{name}: tokenizer.json can turn one character into {growth:,}, expected {MOST_GROWTH} at most. {REPAIR}"
        )
    model = content.get("model")
    longest = model.get("max_input_chars_per_word") if isinstance(model, dict) else None
    if isinstance(longest, int) and longest > LONGEST_WORD:
        raise ModelError(
            f"{name}: tokenizer.json has max_input_chars_per_word: {longest}, expected {LONGEST_WORD:,} at most. "
            f"{REPAIR}"
        )


def check_tokenizer(tokenizer: Tokenizer, name: str) -> None:
    """Check an opened tokenizer with a few letters.

    Raises:
        ModelError: It can't encode them, or adds too many tokens or tokens that it doesn't have.
    """
    with tokenizer_errors(name):
        encodings = [tokenizer.encode(f"a {RARE}"), tokenizer.encode("a", "b")]
    ids = [number for encoding in encodings for number in encoding.ids]
    special = max(encoding.sequence_ids.count(None) for encoding in encodings)
    highest = max(tokenizer.get_vocab().values(), default=-1)
    if special > MOST_SPECIAL:
        raise ModelError(
            f"{name}: tokenizer.json adds {special:,} tokens to a text, expected {MOST_SPECIAL} at most. {REPAIR}"
        )
    if max(ids, default=-1) > highest:
        raise ModelError(f"{name}: tokenizer.json adds the token {max(ids)}, but its last token is {highest}. {REPAIR}")


def check_vocabulary(tokenizer: Tokenizer, embeddings: int, name: str) -> None:
    """Check that a model has an embedding for each token of the vocabulary.

    Tokens that were added to it later may have none: many never occur in a text (`check_embedded` looks).

    Raises:
        ModelError: It has fewer.
    """
    highest = max(tokenizer.get_vocab(with_added_tokens=False).values(), default=-1)
    if highest >= embeddings:
        raise ModelError(
            f"{name}: the tokenizer has the token {highest}, and the model {embeddings} embeddings. "
            "They belong to different models. Fetch or save the model again."
        )


def check_embedded(highest: int, embeddings: int, name: str, *, tokenizer: Tokenizer) -> None:
    """Check that a model has an embedding for the highest token id of some texts.

    Raises:
        ModelError: It has none.
    """
    if highest >= embeddings:
        raise ModelError(
            f"{name}: a text has the token {tokenizer.id_to_token(highest)!r} ({highest}), and the model embeds ids "
            f"below {embeddings}. Leave it out of the texts, or use a model with an embedding for it."
        )


@contextlib.contextmanager
def tokenizer_errors(name: str) -> Iterator[None]:
    """Turn the errors of the library, which have no class of their own, into one line."""
    try:
        yield
    except RetuneError:
        raise
    except BaseException as error:  # a panic of Rust is no Exception
        if type(error) is not Exception and type(error).__name__ != "PanicException":
            raise
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{name}: tokenizer.json can't be used: {reason}. {REPAIR}") from error


def _growth(step: Any, name: str, depth: int = 0) -> int:
    """Return how many characters a step can make of one."""
    if not isinstance(step, dict):
        return 1
    kind = step.get("type")
    if kind == "Sequence":
        steps = step.get("normalizers") or step.get("pretokenizers")
        steps = steps if isinstance(steps, list) else []
        if depth >= DEEPEST or len(steps) > MOST_STEPS:
            raise ModelError(f"{name}: tokenizer.json has a sequence of too many steps. {REPAIR}")
        return prod(_growth(inner, name, depth + 1) for inner in steps)
    if kind == "Prepend" and len(str(step.get("prepend"))) > LONGEST_PREFIX:
        raise ModelError(
            f"{name}: tokenizer.json puts more than {LONGEST_PREFIX} characters before each text. {REPAIR}"
        )
    if kind == "Replace":
        return _replaced(step)
    if kind == "Precompiled":
        return _longest_in_charsmap(step.get("precompiled_charsmap"))
    return 2 if kind == "ByteLevel" else 1


def _replaced(step: dict[str, Any]) -> int:
    pattern, content = step.get("pattern"), len(str(step.get("content")))
    if isinstance(pattern, dict) and (text := pattern.get("String")):
        return max(1, -(-content // len(str(text))))
    return content + 1  # an expression can match where there is no character


def _longest_in_charsmap(charsmap: Any) -> int:
    """Return the characters of the longest text in a map of SentencePiece: a trie, its size before it, and texts."""
    try:
        content = base64.b64decode(str(charsmap))
    except (binascii.Error, ValueError):
        return 1  # refused when it is opened
    texts = content[4 + int.from_bytes(content[:4], "little") :].split(b"\0")
    return max(1, *(len(text.decode("utf-8", "replace")) for text in texts))
