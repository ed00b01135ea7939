"""Files of a model folder: there as regular files, or refused; a pipe or a folder of the name is not "missing"."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from stages.errors import ModelError
from stages.special_files import SpecialFileError, require_regular

REPAIR = "Fetch or save the model again."
SENTENCEPIECE = ("spiece.model", "spm.model", "sentencepiece.bpe.model", "sentencepiece.model", "tokenizer.model")
VOCABULARIES = ("vocab.txt", "vocab.json", *SENTENCEPIECE)  # of tokenizers that were saved without tokenizer.json
OTHER_KINDS = re.compile(r"^adapter_|-\d+-of-\d+\.|^model\.safetensors$")  # adapters, parts of weights, the usual
TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", *VOCABULARIES),
    *("merges.txt", "special_tokens_map.json", "added_tokens.json"),
)


def other_safetensors(names: Iterable[str]) -> str | None:
    """Return a name of whole weights that is not model.safetensors: of a variant (fp16), or of a tool; None: no such.

    Args:
        names: Of the files of a folder.
    """
    found = [name for name in names if name.endswith(".safetensors") and not OTHER_KINDS.search(name)]
    return min(found, default=None)


def is_present(path: Path, name: str, *, shown: str | None = None) -> bool:
    """Return whether a file of the model that messages call `name` is there; they call the file `shown`, or its name.

    Raises:
        ModelError: Something of its name is there that is no regular file.
    """
    file = shown or path.name
    if not os.path.lexists(path):
        return False
    try:
        require_regular(path.stat(), path)
    except SpecialFileError as error:
        raise ModelError(f"{name}: {file} is {error.kind}, not a file. {REPAIR}") from error
    except FileNotFoundError as error:
        raise ModelError(f"{name}: {file} is a link to a file that is missing. {REPAIR}") from error
    except (OSError, RuntimeError) as error:  # a link that leads to itself, a folder that may not be read
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise ModelError(f"{name}: {file} can't be read: {reason}. {REPAIR}") from error
    return True
