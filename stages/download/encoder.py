"""Find a pretrained encoder, refuse what is unsafe, and copy what is needed: config, tokenizer, safetensors."""

import importlib.util
import json
import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from stages.download.sources.hub import fetch_hub_model, is_hub
from stages.errors import ModelError
from stages.files import sha256 as sha256_of
from stages.files import write_json

logger = logging.getLogger(__name__)

CONFIG, WEIGHTS = "config.json", "model.safetensors"
TOKENIZER, TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"
VOCABULARIES = ("vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model")
TOKENIZER_PARTS = (*VOCABULARIES, "merges.txt", "special_tokens_map.json", "added_tokens.json")
PACKAGE = "package:"


def locate_encoder(source: str, *, root: Path) -> tuple[Path, str | None]:
    """Return the folder with config.json and model.safetensors that `source` names, and the Hub's revision of it.

    Args:
        source: `hf://ORG/NAME@REVISION`; `package:MODULE`, an installed package that carries the weights (it is not
            imported); or a folder. Packages and folders are searched in subfolders too.
        root: Folder that relative paths start at.

    Raises:
        ModelError: There is no such model, package or folder, or not exactly one model in it.
    """
    if is_hub(source):
        return fetch_hub_model(source, files=(CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG, *TOKENIZER_PARTS))
    folder = _package_folder(source) if source.startswith(PACKAGE) else root / source
    if not folder.is_dir():
        raise ModelError(
            f"download.model.source: {source} is no folder. Give a folder, or package:MODULE for an installed package."
        )
    found = sorted(path.parent for path in folder.rglob(WEIGHTS) if (path.parent / CONFIG).is_file())
    if folder in found:
        return folder, None
    if not found:
        raise _no_weights(source, folder)
    if len(found) > 1:
        names = ", ".join(path.relative_to(folder).as_posix() for path in found)
        raise ModelError(f"download.model.source: {source} holds several models ({names}). Name one folder.")
    return found[0], None


def copy_encoder(folder: Path, target: Path, *, source: str, sha256: str | None, revision: str | None) -> None:
    """Copy the encoder into the empty folder `target`, checked, with source.json.

    Args:
        folder: What `locate_encoder` returned.
        target: An empty folder.
        source: What the messages and source.json call it.
        sha256: What model.safetensors must hash to; None: anything.
        revision: The Hub's commit, where it is from there.

    Raises:
        ModelError: The weights hash to something else or are damaged, or the model needs code of its own.
    """
    _refuse_remote_code(folder, source)
    shutil.copyfile(folder / WEIGHTS, target / WEIGHTS)
    found = sha256_of(target / WEIGHTS)
    if sha256 not in (None, found):
        raise ModelError(
            f"{source}: model.safetensors has SHA-256 {found}, but download.model.sha256 pins {sha256}. "
            "These are not the weights you meant: reinstall or fetch them anew, or pin the new ones."
        )
    _require_safetensors(target / WEIGHTS, source)
    for name in (CONFIG, TOKENIZER, TOKENIZER_CONFIG, *TOKENIZER_PARTS):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)  # as they are: equal bytes let other weights reuse the tokens
    _complete_tokenizer(target, source)
    _require_tokenizer(target, source)
    if sha256 is None:
        logger.info("%s is not pinned by its weights; they now have sha256: %s", source, found)
    write_json(target / "source.json", {"source": source, "revision": revision, "sha256": found})


def _package_folder(source: str) -> Path:
    module = source.removeprefix(PACKAGE)
    try:
        spec = importlib.util.find_spec(module)
    except (ModuleNotFoundError, ValueError) as error:
        raise ModelError(f"download.model.source: {source} names no package: {error}. Write package:MODULE.") from error
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"download.model.source: the package {module!r} is not installed in this environment. "
            "Install it with pip, or give a folder."
        )
    return Path(spec.submodule_search_locations[0])


def _no_weights(source: str, folder: Path) -> ModelError:
    pickled = sorted(path.name for pattern in ("*.bin", "*.pt", "*.ckpt", "*.h5") for path in folder.rglob(pattern))
    if pickled:
        return ModelError(
            f"download.model.source: {source} has no model.safetensors, only {pickled[0]}, and a pickle can run code. "
            "Convert it once: load it with transformers where you trust it, and save_pretrained() writes safetensors."
        )
    return ModelError(f"download.model.source: {source} holds no folder with config.json and model.safetensors.")


def _refuse_remote_code(folder: Path, source: str) -> None:
    if "model_type" not in _read_object(folder / CONFIG, source):
        raise ModelError(f"{source}: config.json has no model_type, so transformers can't tell what to build.")
    for name in (CONFIG, TOKENIZER_CONFIG):
        if (folder / name).is_file() and "auto_map" in _read_object(folder / name, source):
            raise ModelError(
                f"{source}: {name} has auto_map, so the model runs code of its own, which is never allowed here. "
                "Choose a model that transformers knows by itself."
            )


def _read_object(path: Path, source: str) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{source}: {path.name} is not JSON: {error}. Fetch the model anew.") from error
    if not isinstance(value, dict):
        raise ModelError(f"{source}: {path.name} is not a JSON object. Fetch the model anew.")
    return value


def _require_safetensors(path: Path, source: str) -> None:
    try:
        with safe_open(path, framework="numpy") as file:
            if not file.keys():
                raise ModelError(f"{source}: model.safetensors holds no tensors. Fetch the model anew.")
    except SafetensorError as error:
        raise ModelError(f"{source}: model.safetensors is damaged: {error}. Fetch the model anew.") from error


def _complete_tokenizer(folder: Path, source: str) -> None:
    """Write tokenizer.json and tokenizer_config.json where the model comes with a slow tokenizer's files only."""
    missing = [name for name in (TOKENIZER, TOKENIZER_CONFIG) if not (folder / name).is_file()]
    if not missing:
        return
    if TOKENIZER in missing and not any((folder / name).is_file() for name in VOCABULARIES):
        # transformers would make a tokenizer that knows its special tokens and not one word
        raise ModelError(f"{source} has no tokenizer: none of {', '.join((TOKENIZER, *VOCABULARIES))} is there.")
    from transformers import AutoTokenizer  # seconds to import, and hardly ever needed

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(
            f"{source}: no tokenizer.json, and none can be made: {error}. Choose another model."
        ) from error
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer.save_pretrained(scratch)
        for name in missing:
            if not (Path(scratch) / name).is_file():
                raise ModelError(f"{source}: its tokenizer has no fast form (tokenizer.json). Choose another model.")
            shutil.copyfile(Path(scratch) / name, folder / name)


def _require_tokenizer(folder: Path, source: str) -> None:
    text = (folder / TOKENIZER).read_text(encoding="utf-8", errors="replace")
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # tokenizers raises bare Exception
        raise ModelError(f"{source}: tokenizer.json is damaged: {error}. Fetch the model anew.") from error
    size = _read_object(folder / CONFIG, source).get("vocab_size")
    if isinstance(size, int) and tokenizer.get_vocab_size() > size:
        raise ModelError(
            f"{source}: the tokenizer has {tokenizer.get_vocab_size()} tokens and the model {size} embeddings. "
            "They do not belong together; fetch the model anew."
        )
