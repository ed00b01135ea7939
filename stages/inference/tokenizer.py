"""The tokenizer of a saved model, as transformers opens it."""

from pathlib import Path

from stages.auto_tokenizer import read_auto_tokenizer
from stages.errors import ModelError
from stages.model_files import VOCABULARIES, is_present
from stages.tokenizer import ModelTokenizer, open_tokenizer, text_limit
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
