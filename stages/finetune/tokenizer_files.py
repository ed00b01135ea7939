"""The tokenizer files of a fine-tuned model: the encoder's, padding as the model reads it."""

import shutil
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedModel

from stages.files import write_json
from stages.model.padding import padding_side
from stages.model.positions import max_tokens
from stages.model_config import read_object, token_text
from stages.model_files import TOKENIZER_FILES

CONFIG, SPECIAL = "tokenizer_config.json", "special_tokens_map.json"


def read_pad_token(encoder: Path) -> tuple[Tokenizer, int | None]:
    """Return the encoder's tokenizer, and the id of the token that it pads with; None: it has none."""
    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    name = token_text(_read(encoder / CONFIG).get("pad_token"))
    return tokenizer, tokenizer.token_to_id(name) if name else None


def save_tokenizer(model: PreTrainedModel, folder: Path, *, encoder: Path) -> None:
    """Copy the encoder's tokenizer files, and let transformers pad and limit texts as the model needs it.

    Args:
        model: Its config names the token that it pads with.
        folder: Where the model is saved.
        encoder: Folder of the encoder.
    """
    for name in (*TOKENIZER_FILES, "chat_template.jinja"):
        if (encoder / name).exists():
            shutil.copyfile(encoder / name, folder / name)
    tokenizer, _ = read_pad_token(encoder)
    changes: dict[str, Any] = {"padding_side": padding_side(model.config)}
    pad = int(model.config.pad_token_id or 0)
    if pad in tokenizer.get_added_tokens_decoder():  # making a word a special token would change the words' tokens
        changes["pad_token"] = tokenizer.id_to_token(pad)
    config, limit = _read(encoder / CONFIG), max_tokens(model)
    own = config.get("model_max_length")
    if limit and not (isinstance(own, int | float) and 0 < own <= limit):
        changes["model_max_length"] = limit
    write_json(folder / CONFIG, config | changes)
    if "pad_token" in changes and (folder / SPECIAL).exists():  # an old file, which counts for more
        write_json(folder / SPECIAL, _read(folder / SPECIAL) | {"pad_token": changes["pad_token"]})


def _read(path: Path) -> dict[str, Any]:
    return read_object(path, str(path.parent)) if path.exists() else {}
