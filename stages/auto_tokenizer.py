"""The tokenizer of a model folder as transformers' AutoTokenizer makes it, from its own files and without the Hub.

AutoTokenizer builds many tokenizers anew from the vocabulary of tokenizer.json, with the steps of their class and the
options of tokenizer_config.json. What it makes can differ from what tokenizer.json says, and it is what everybody gets
who loads the folder with transformers.
"""

import importlib.util
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from stages.errors import ModelError
from stages.model_config import read_object
from stages.model_files import REPAIR, SENTENCEPIECE, TOKENIZER_FILES, is_present
from stages.model_folder import offline
from stages.tokenizer_check import check_tokenizer_file, tokenizer_errors

CONFIG, TOKENIZER, TOKENIZER_CONFIG = "config.json", "tokenizer.json", "tokenizer_config.json"
SAVE_FAST = (
    "Save the model's fast tokenizer there, which writes tokenizer.json: tokenizer.save_pretrained(...). "
    "If its class has no fast tokenizer, choose another model."
)


def read_auto_tokenizer(folder: Path, name: str) -> Any:
    """Return what AutoTokenizer makes of a folder that `check_model_folder` has passed; its `backend_tokenizer` works.

    Args:
        folder: Has config.json, and tokenizer.json or the vocabulary that one is made from.
        name: What messages call the folder.

    Raises:
        ModelError: transformers can't make a tokenizer, or only one that is not of the library `tokenizers`.
    """
    _require_sentencepiece(folder, name)
    if is_present(folder / TOKENIZER, name):
        check_tokenizer_file(folder / TOKENIZER, name)
    from transformers import AutoTokenizer  # takes seconds

    with tempfile.TemporaryDirectory() as scratch, offline(), tokenizer_errors(name):
        _copy_files(folder, Path(scratch), name)
        try:
            tokenizer = AutoTokenizer.from_pretrained(scratch, local_files_only=True, trust_remote_code=False)
        except Exception as error:  # of any class: a damaged file meets code of many tokenizers
            reason = " ".join(str(error).split()).replace(scratch, str(folder))[:300] or type(error).__name__
            reason = _missing_merges(folder, name) or reason.rstrip(".")
            advice = REPAIR if is_present(folder / TOKENIZER, name) else SAVE_FAST
            raise ModelError(
                f"{name}: transformers can't build a tokenizer from its files: {reason}. {advice}"
            ) from error
        if getattr(tokenizer, "is_fast", False) and not tokenizer.encode("a", add_special_tokens=False):
            raise ModelError(
                f"{name}: the tokenizer that transformers builds from its files has no token for a letter. {REPAIR}"
            )
    if not is_present(folder / TOKENIZER, name):
        _require_vocabulary(folder, type(tokenizer), name)
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(f"{name}: its tokenizer has no fast form (tokenizer.json). Choose another model.")
    return tokenizer


def segment_inputs(names: list[str], tokenizer: Tokenizer, type_vocab_size: int | None) -> list[str]:
    """Return a tokenizer's `model_input_names`, with token_type_ids for a model that has an embedding for each type.

    Without such embeddings, token types are ignored, out of range, or looked up among the words (GPT-2).

    Args:
        names: As AutoTokenizer has them: some of its classes leave token types out, whatever the model.
        tokenizer: Writes the types.
        type_vocab_size: Of the model's config; None: it has none.
    """
    with tokenizer_errors("the model"):
        types = max(tokenizer.encode("a", "b").type_ids, default=0)
    others = [name for name in names if name != "token_type_ids"]
    if type_vocab_size is None or types >= type_vocab_size:
        return others
    return [others[0], "token_type_ids", *others[1:]] if types else names


def _missing_merges(folder: Path, name: str) -> str | None:
    """Return that the merges of a vocabulary of byte pairs are missing, if they are."""
    alone = is_present(folder / "vocab.json", name) and not is_present(folder / "merges.txt", name)
    return "vocab.json is there without merges.txt" if alone else None


def with_numbers(config: dict[str, Any]) -> dict[str, Any]:
    """Return tokenizer_config.json without a model_max_length that is no number, which transformers compares as one."""
    limit = config.get("model_max_length", 0)
    usable = isinstance(limit, int | float) and not isinstance(limit, bool)
    return config if usable else {key: value for key, value in config.items() if key != "model_max_length"}


def _copy_files(folder: Path, target: Path, name: str) -> None:
    """Copy what AutoTokenizer may read, without keys of tokenizer_config.json that name other files."""
    for file in (CONFIG, *TOKENIZER_FILES):
        if is_present(folder / file, name):
            shutil.copyfile(folder / file, target / file)
    config_path = target / TOKENIZER_CONFIG
    if config_path.exists():
        config = with_numbers(read_object(config_path, name))
        config = {key: value for key, value in config.items() if not key.endswith("_file")}
        config_path.write_text(json.dumps(config), encoding="utf-8")


def _require_vocabulary(folder: Path, tokenizer_class: Any, name: str) -> None:
    """Refuse a vocabulary that the class doesn't look for: it would make a tokenizer of special tokens alone."""
    files = sorted({*tokenizer_class.vocab_files_names.values()} - {TOKENIZER})
    if not any(is_present(folder / file, name) for file in (*files, "tokenizer.model")):
        raise ModelError(
            f"{name} has no tokenizer.json, and transformers looks for {', '.join(files)} instead, which is missing. "
            "Save the model's fast tokenizer there: tokenizer.save_pretrained(...)"
        )


def _require_sentencepiece(folder: Path, name: str) -> None:
    """Refuse a vocabulary of SentencePiece without tokenizer.json where the package that reads it is missing."""
    if is_present(folder / TOKENIZER, name) or importlib.util.find_spec("sentencepiece") is not None:
        return
    for file in SENTENCEPIECE:
        if is_present(folder / file, name):
            raise ModelError(
                f"{name} has no tokenizer.json, only {file}, which the package sentencepiece reads. "
                "Install it: pip install 'retune[sentencepiece]'"
            )
