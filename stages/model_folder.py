"""Refuses a model folder that could run code, read another folder, use the network, or not fit its own weights.

Every way to a model goes through `check_model_folder`: download@model, finetune, evaluate, predict, and embed. What
transformers reads of a checked folder is this list: `config.json`, the tokenizer's files, `model.safetensors`, or
`model.safetensors.index.json` and the safetensors that it names, and what sentence-transformers says of pooling.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from stages.architectures import check_architecture
from stages.errors import ModelError
from stages.git_lfs import WHAT, is_pointer_file
from stages.messages import short
from stages.model_config import check_config, check_keys, read_object
from stages.model_files import TOKENIZER_FILES, is_present
from stages.model_fit import Fit, check_fit_of_weights
from stages.special_files import leads_outside

CONFIG, TOKENIZER_CONFIG, WEIGHTS = "config.json", "tokenizer_config.json", "model.safetensors"
INDEX = "model.safetensors.index.json"
POOLING = "1_Pooling/config.json"  # of sentence-transformers: what the encoder was trained for
CONFIGS = (CONFIG, TOKENIZER_CONFIG, "generation_config.json", "processor_config.json", "preprocessor_config.json")
POOLING_MODES = {  # their names by release: one word, or a flag for each
    "cls": ("cls", "pooling_mode_cls_token"),
    "mean": ("mean", "pooling_mode_mean_tokens"),
    "last": ("lasttoken", "pooling_mode_lasttoken"),
}
READ = (  # what is read of a folder; each is a regular file, or is not there
    *(*CONFIGS, WEIGHTS, INDEX, "calibration.json", "input.json", POOLING),
    *(file for file in TOKENIZER_FILES if file not in CONFIGS),
)
ADAPTERS = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
SHARD = re.compile(r"[\w-][\w.-]*\.safetensors", re.ASCII)


def check_model_folder(folder: Path, *, name: str) -> Fit:
    """Check that a folder holds a plain classifier or encoder of transformers, whose weights fit its config.json.

    Args:
        folder: Has config.json, and model.safetensors or its index.
        name: What messages call the folder.

    Returns:
        What the weights have beside that encoder.

    Raises:
        ModelError: The folder could run code, read other files or use the network, or does not fit together.
    """
    for adapter in ADAPTERS:
        path = folder / adapter
        if path.exists() or path.is_symlink():  # exists() is false for a dangling link
            raise ModelError(
                f"{name}: {adapter} makes this an adapter of another model, which can't be checked. "
                "Merge it into that model (merge_and_unload), save that, and use its folder."
            )
    _refuse_links(folder, name)
    present = {file for file in READ if is_present(folder / file, name, shown=file)}
    shards = (path.name for path in weight_files(folder, name))
    for file in sorted({*present, *shards}):
        if is_pointer_file(folder / file):
            raise ModelError(f"{name}: {file} is {WHAT}")
    for file in CONFIGS:
        if file in present:
            check_keys(read_object(folder / file, name), file, name)
    weights = weight_files(folder, name)
    if CONFIG not in present:
        raise ModelError(f"{name}: config.json is missing. Fetch or save the model again.")
    config = read_object(folder / CONFIG, name)
    check_config(config, name)
    check_architecture(config.get("model_type"), name)
    _check_tokenizer_config(folder, name)
    with offline():
        return check_fit_of_weights(folder, config, weights=weights, name=name)


def weight_files(folder: Path, name: str) -> list[Path]:
    """Return the safetensors that transformers reads of a folder: one file, or those that an index names; or none.

    Raises:
        ModelError: The index is damaged, or names what is missing or no safetensors beside it.
    """
    whole = is_present(folder / WEIGHTS, name)
    shards = _shards(folder, name) if is_present(folder / INDEX, name) else []
    for file in shards:
        if not whole and not is_present(folder / file, name):  # beside a whole file, transformers reads no index
            raise ModelError(f"{name}: {INDEX} names {file}, which is missing. Fetch or save the model again.")
    return [folder / WEIGHTS] if whole else [folder / shard for shard in shards]


def pooling_of_folder(folder: Path, *, sentence_transformers: bool) -> str | None:
    """Return what the files of a checked folder say that its head reads; None: nothing, or what we don't have.

    A model of ours names it in config.json, one of sentence-transformers in 1_Pooling/config.json.

    Args:
        folder: A model's folder.
        sentence_transformers: Whether to read the second, too.

    Returns:
        cls, mean or last.
    """
    head = read_object(folder / CONFIG, str(folder)).get("retune_head")
    if head is not None or not (sentence_transformers and is_present(folder / POOLING, str(folder))):
        return (head or {}).get("pooling")
    content = read_object(folder / POOLING, str(folder))
    modes = {key for key, value in content.items() if key.startswith("pooling_mode_") and value is True}
    if isinstance(mode := content.get("pooling_mode"), str):
        modes.add(mode)
    poolings = [pooling for pooling, names in POOLING_MODES.items() if modes and modes <= set(names)]
    return poolings[0] if poolings else None


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Make the Hub's client refuse every request while the block runs."""
    from huggingface_hub import constants  # takes a moment, and download@dataset has no use for it

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _refuse_links(folder: Path, name: str) -> None:
    for path in (*sorted(folder.iterdir()), folder / POOLING):
        if target := leads_outside(path, folder):
            raise ModelError(
                f"{name}: {path.relative_to(folder)} is a link to {target}, outside the model's folder. "
                "Copy the file there."
            )


def _check_tokenizer_config(folder: Path, name: str) -> None:
    if not is_present(folder / TOKENIZER_CONFIG, name):
        return
    config = read_object(folder / TOKENIZER_CONFIG, name)
    if not is_present(folder / "tokenizer.json", name):
        for key, item in config.items():  # transformers would read these files to make tokenizer.json
            if key.endswith("_file") and isinstance(item, str):
                raise ModelError(
                    f"{name}: {TOKENIZER_CONFIG} has {key}: {short(item)}, the name of another file. Remove the key."
                )
    tokenizer_class = config.get("tokenizer_class")
    if tokenizer_class is None:
        return
    from transformers.models.auto.tokenization_auto import tokenizer_class_from_name  # takes seconds

    if not isinstance(tokenizer_class, str) or tokenizer_class_from_name(tokenizer_class) is None:
        raise ModelError(
            f"{name}: {TOKENIZER_CONFIG} has tokenizer_class: {short(tokenizer_class)}, which transformers doesn't "
            "have. Choose another model."
        )


def _shards(folder: Path, name: str) -> list[str]:
    """Return the names of the files that the index lists."""
    shards = read_object(folder / INDEX, name).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise ModelError(f"{name}: {INDEX} has no weight_map. Fetch or save the model again.")
    names = sorted({value if isinstance(value, str) else repr(value) for value in shards.values()})
    for file in names:
        if not SHARD.fullmatch(file):
            raise ModelError(
                f"{name}: {INDEX} names {short(file)}. Expected safetensors beside it: reading any "
                "other file can run code. Save the model again."
            )
    return names
