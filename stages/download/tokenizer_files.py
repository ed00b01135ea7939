"""The tokenizer files of an encoder, completed so that retune and AutoTokenizer read the same tokens from them."""

import json
import math
import tempfile
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from stages.auto_tokenizer import read_auto_tokenizer, segment_inputs, with_numbers
from stages.errors import ModelError
from stages.files import write_json
from stages.model_config import read_object
from stages.model_files import VOCABULARIES, is_present
from stages.tokenizer_check import check_vocabulary
from stages.tokenizer_file import open_tokenizer_file, plain

CONFIG, TOKENIZER, TOKENIZER_CONFIG = "config.json", "tokenizer.json", "tokenizer_config.json"
MOST_PASSES = 3  # AutoTokenizer writes RemBERT's special tokens only once it has a tokenizer.json


def complete_tokenizer(folder: Path, source: str) -> None:
    """Write tokenizer.json as AutoTokenizer makes it, and what it takes for granted into tokenizer_config.json.

    A tokenizer.json of the same tokenizer stays as it is, so that equal files let other weights reuse the tokens.

    Args:
        folder: The copied encoder, which `check_model_folder` has passed.
        source: What messages call it.

    Raises:
        ModelError: The files give no tokenizer, one that can't be used, or that of another model.
    """
    for _ in range(MOST_PASSES):
        if _is_complete(folder, source):
            return
    raise ModelError(
        f"{source}: transformers builds a different tokenizer from its files each time. Choose another model."
    )


def _is_complete(folder: Path, source: str) -> bool:
    """Return whether tokenizer.json is what AutoTokenizer makes of the folder; if not, write it."""
    written = _open_file(folder, source)
    try:
        auto = read_auto_tokenizer(folder, source)
    except ModelError:
        if written is None:
            raise
        tokenizer = written  # transformers can't open it: it is read as tokenizer.json says
    else:
        tokenizer = plain(auto.backend_tokenizer, source)
        write_json(folder / TOKENIZER_CONFIG, _tokenizer_config(folder, auto, tokenizer, source))
    size = read_object(folder / CONFIG, source).get("vocab_size")
    if isinstance(size, int):
        check_vocabulary(tokenizer, size, source)
    if written is not None and _content(tokenizer) == _content(written):
        return True
    tokenizer.save(str(folder / TOKENIZER))
    return False


def _content(tokenizer: Tokenizer) -> Any:
    """Return what tokenizer.json says, without the last digits of scores, which change when they are read."""
    return json.loads(tokenizer.to_str(), parse_float=lambda score: f"{float(score):.12g}")


def _open_file(folder: Path, source: str) -> Tokenizer | None:
    """Return the tokenizer of tokenizer.json; None where there is no such file, but others that one is made from."""
    if is_present(folder / TOKENIZER, source):
        return open_tokenizer_file(folder / TOKENIZER, source)
    if not any(is_present(folder / file, source) for file in VOCABULARIES):
        # transformers would make a tokenizer of the special tokens, without one word
        names = ", ".join((TOKENIZER, *VOCABULARIES))
        raise ModelError(f"{source} has no tokenizer: {names} are all missing. Choose another model.")
    return None


def _tokenizer_config(folder: Path, auto: Any, tokenizer: Tokenizer, source: str) -> dict[str, Any]:
    """Return tokenizer_config.json with the special tokens and the inputs that AutoTokenizer adds from its class."""
    from transformers import AutoConfig  # takes seconds

    if is_present(folder / TOKENIZER_CONFIG, source):
        config = with_numbers(read_object(folder / TOKENIZER_CONFIG, source))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            auto.save_pretrained(scratch)
            config = read_object(Path(scratch) / TOKENIZER_CONFIG, source)
    special = {key: token for key, token in auto.special_tokens_map.items() if isinstance(token, str)}
    types = getattr(AutoConfig.from_pretrained(folder, local_files_only=True), "type_vocab_size", None)
    names = segment_inputs(list(auto.model_input_names), tokenizer, types)
    finite = {key: value for key, value in config.items() if not isinstance(value, float) or math.isfinite(value)}
    return special | finite | {"model_input_names": names}
