"""The JSON files of a model: read with a limit, and checked for keys and values that transformers would act on."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.errors import ModelError
from stages.git_lfs import WHAT, is_pointer
from stages.messages import examples, short
from stages.model_files import REPAIR
from stages.special_files import SpecialFileError, open_regular
from stages.texts import has_surrogates

LARGEST_JSON = 20_000_000  # bytes; the names of 100,000 classes have 5 MB
DEEPEST_JSON = 20  # levels; configs of transformers have 4
CODE_KEYS = {  # letters of a key, in lower case -> what transformers would do
    "automap": "runs code that comes with the model",
    "custompipelines": "runs code that comes with the model",
    "customgenerate": "runs code that comes with the model",
    "trustremotecode": "allows code that comes with the model",
    "usekernels": "runs kernels that it downloads",
    "kernelconfig": "runs kernels that it downloads",
    "hubkernels": "runs kernels that it downloads",
    "quantizationconfig": "loads the weights with another library",
    "configurationfiles": "reads another file instead of this one",
    "fasttokenizerfiles": "reads another file instead of tokenizer.json",
    "transformersweights": "reads another file instead of model.safetensors",
    "basemodelnameorpath": "loads another model",
    "pefttype": "loads another model",
}
IMPLEMENTATION = re.compile(r"implementation(internal)?")  # in a key: how layers are computed, _attn_implementation
IMPLEMENTATIONS = (None, "eager", "sdpa")  # any other may be downloaded from the Hub
POOLINGS = ("cls", "mean", "last")  # what a head of ours reads of a row's vectors
FREE_KEYS = {  # values may be any text: transformers shows them and does nothing else with them
    "_name_or_path",
    "name_or_path",
    "architectures",
    "finetuning_task",
    "id2label",
    "label2id",
    "task_specific_params",
    "sentence_transformers",
}
REFERENCE = re.compile(  # a path, an address, REPOSITORY--MODULE, a file, a Python name in a module
    r".*[/\\].*|.*--.*|.*\.(py|json|bin|pt|pth|pkl|ckpt|h5|gguf|safetensors)|(?!torch\.)[^\W\d]\w*(\.[^\W\d]\w*)+",
    re.DOTALL,
)
LAYERS = re.compile(r"(num_)?(hidden_)?layers|n_layers?|num_\w*(layers|groups|blocks)|\w*_layers|inner_group_num")
AT_LEAST_ONE = ("num_hidden_layers", "num_layers", "n_layers", "n_layer")
MOST_LAYERS, MOST_LABELS = 1_000, 1_000_000
LARGEST_SIZE = 20_000_000  # Llama 4 has 10,485,760 positions
NO_SIZE = ("theta", "base", "seed")  # parts of the names of numbers that allocate nothing


def read_object(path: Path, name: str, *, largest: int = LARGEST_JSON) -> dict[str, Any]:
    """Return the JSON object in a file of the model that messages call `name`; `largest` is in bytes."""
    try:
        with open_regular(path) as file:
            content = file.read(largest + 1)
        if is_pointer(content):
            raise ModelError(f"{name}: {path.name} is {WHAT}")
        if len(content) > largest:
            raise ModelError(f"{name}: {path.name} has more than {largest:,} bytes. Check the model.")
        value: Any = json.loads(content.decode("utf-8"))
    except SpecialFileError as error:
        raise ModelError(f"{name}: {path.name} is {error.kind}, not a file. Fetch or save the model again.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{name}: {path.name} is not JSON: {error}. Fetch or save the model again.") from error
    if not isinstance(value, dict):
        raise ModelError(
            f"{name}: {path.name}: expected a JSON object, got {type(value).__name__}. Fetch or save the model again."
        )
    return value


def token_text(token: Any) -> str | None:
    """Return the text of a special token that tokenizer_config.json names by its text or by an object."""
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else None


def check_keys(value: dict[str, Any], file: str, name: str) -> None:
    """Refuse keys with which transformers runs code, reads another file, or uses the Hub, at any depth."""
    for key, item in _items(value, file, name):
        letters = re.sub(r"[^a-z0-9]", "", key.lower())
        if letters in CODE_KEYS and item is not None and item is not False:
            raise ModelError(
                f"{name}: {file} has {key}: with it, transformers {CODE_KEYS[letters]}, which retune never does. "
                "Choose a model of a class that transformers has, with plain weights."
            )
        if IMPLEMENTATION.search(letters) and item not in IMPLEMENTATIONS and not isinstance(item, bool):
            raise ModelError(
                f"{name}: {file} has {key}: {short(item)}. Another value than eager and sdpa can name code on the "
                "Hub. Remove the key."
            )


def check_config(config: dict[str, Any], name: str) -> None:
    """Refuse values of config.json that can name a file or a repository, or would take minutes or all memory."""
    for key, item in _items(config, "config.json", name):
        if isinstance(item, str) and key not in FREE_KEYS and REFERENCE.fullmatch(item):
            raise ModelError(
                f"{name}: config.json has {key}: {short(item)}, which can name a file or a repository. "
                "Only model.safetensors and the tokenizer's files are read. Remove the key."
            )
        if isinstance(item, float) and (math.isnan(item) or ("eps" in key and not 0 <= item <= 1)):
            raise ModelError(f"{name}: config.json has {key}: {item}, which is not a usable value. Check the model.")
        if isinstance(item, int):
            _check_number(key, item, name)
    _check_head(config, name)


def check_labels(config: dict[str, Any], name: str) -> None:
    """Refuse classes without a number or a name of their own, in the config.json of a classifier."""
    labels = config.get("id2label")
    if labels is None:
        return
    if not isinstance(labels, dict):
        raise ModelError(f"{name}: config.json has id2label: {short(labels)}, expected an object. {REPAIR}")
    numbers = [str(number) for number in range(len(labels))]
    if set(labels) != set(numbers):
        raise ModelError(
            f"{name}: config.json has id2label with the classes {examples(list(labels))}, expected 0 to "
            f"{len(labels) - 1}. {REPAIR}"
        )
    names: set[str] = set()
    for number in numbers:
        label = labels[number]
        if isinstance(label, bool) or not isinstance(label, str | int | float) or not str(label).strip():
            raise ModelError(f"{name}: config.json has the label {short(label)} in id2label, expected a text. {REPAIR}")
        if has_surrogates(str(label)):
            raise ModelError(f"{name}: config.json has the label {short(label)}, which is not valid Unicode. {REPAIR}")
        if str(label) in names:
            raise ModelError(f"{name}: config.json has the label {short(label)} twice in id2label. {REPAIR}")
        names.add(str(label))


def _check_number(key: str, value: int, name: str) -> None:
    least, most = -LARGEST_SIZE, LARGEST_SIZE
    if LAYERS.fullmatch(key):
        least, most = 1 if key in AT_LEAST_ONE else -MOST_LAYERS, MOST_LAYERS
    elif key == "num_labels":
        least, most = 1, MOST_LABELS
    elif any(part in key for part in NO_SIZE):
        return
    if not least <= value <= most:
        raise ModelError(
            f"{name}: config.json has {key}: {short(value)}, expected {least:,} to {most:,}. Choose another model."
        )


def _check_head(config: dict[str, Any], name: str) -> None:
    head = config.get("retune_head")
    if head is None:
        return
    hidden = head.get("hidden") if isinstance(head, dict) else None
    dropout = head.get("dropout") if isinstance(head, dict) else None
    pooling = head.get("pooling") if isinstance(head, dict) else None
    plain = hidden is None and pooling is not None
    sized = plain or (type(hidden) is int and 1 <= hidden <= 1_000_000)
    if not sized or pooling not in (None, *POOLINGS) or type(dropout) not in (int, float):
        raise ModelError(
            f"{name}: config.json has retune_head: {str(head)[:100]}, expected hidden and dropout, and pooling if any. "
            "Fine-tune it again."
        )


def _items(content: dict[str, Any], file: str, name: str) -> Iterator[tuple[str, Any]]:
    """Yield every key with its value, and every item of a list with the list's key, at any depth."""
    pending: list[tuple[str, Any, int]] = [("", content, 0)]
    while pending:
        key, value, depth = pending.pop()
        if depth > DEEPEST_JSON:
            raise ModelError(f"{name}: {file} is nested deeper than {DEEPEST_JSON} levels. Choose another model.")
        if key:
            yield key, value
        if key in FREE_KEYS:
            continue
        if isinstance(value, dict):
            pending += [(inner, item, depth + 1) for inner, item in value.items()]
        elif isinstance(value, list):
            pending += [(key, item, depth + 1) for item in value]
