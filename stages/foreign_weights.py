"""Why weights don't fit the config.json beside them, and a sign that those that do are of another architecture."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from safetensors import safe_open

WRAPPERS = {  # parts that a wrapper adds to the names of weights -> what it is
    "module": "DataParallel or DistributedDataParallel",
    "_orig_mod": "torch.compile",
    "_fsdp_wrapped_module": "FSDP",
    "_checkpoint_wrapped_module": "activation checkpointing",
}
POSITIONS = "position_embeddings"
AGAIN = "Fetch or save the model again."
MUCH_SMALLER = 0.1  # of the row next to it, by norm: a row that was never trained from zero is 0


def cause_of_missing(missing: Sequence[str], stored: Iterable[str], *, prefix: str, model_type: str) -> str:
    """Return why a file lacks weights, and what to do, in a sentence.

    Args:
        missing: Names of the encoder's weights that it lacks.
        stored: Names of the weights that it has.
        prefix: Of the encoder's weights in a classifier.
        model_type: Of config.json.
    """
    stored = set(stored)
    parts = {part for key in stored for part in key.split(".")} - {part for key in missing for part in key.split(".")}
    if (wrapper := next((part for part in WRAPPERS if part in parts), None)) is not None:
        return (
            f"The names of its weights contain {wrapper!r}, which {WRAPPERS[wrapper]} adds. Save the model inside "
            f"(model.{wrapper}.save_pretrained), or remove that part from the names: "
            f'save_file({{k.replace("{wrapper}.", ""): v for k, v in load_file(FILE).items()}}, FILE, '
            '{"format": "pt"}) of safetensors.torch.'
        )
    ends = {end for key in missing for end in (key, key.removeprefix(prefix))}
    starts = Counter(key.removesuffix(end) for key in stored for end in _ends(key) if end in ends)
    if starts:
        (start, _), *_ = starts.most_common(1)
        return (
            f"The names of its weights start with {start[:100]!r}: it was saved inside another module. Save the model "
            f'alone with save_pretrained, or remove that prefix: save_file({{k.removeprefix("{start[:100]}"): v for '
            'k, v in load_file(FILE).items()}, FILE, {"format": "pt"}) of safetensors.torch.'
        )
    if all(key.removeprefix(prefix).startswith("decoder.") for key in missing):
        return (
            f"It holds the encoder alone, as {model_type}'s EncoderModel saves it, and transformers' text classifier "
            f"of {model_type} reads the decoder too. Choose a folder of the whole model, or another encoder."
        )
    return AGAIN


def sign_of_another(model: Any, weights: Sequence[Path]) -> str | None:
    """Return a line where the position embeddings look like those of another architecture; None: they don't.

    RoBERTa and its kin never read the position of the padding token's id, and keep a row of zeros there; BERT trains
    that row. Their weights have equal names, so nothing else tells one from the other.

    Args:
        model: Built from config.json, without weights.
        weights: The safetensors files.
    """
    for name, module in model.named_modules():
        if not name.endswith(f".{POSITIONS}") or getattr(module, "weight", None) is None or len(module.weight) < 4:
            continue
        padding = getattr(module, "padding_idx", None)
        keys = {f"{name}.weight", f"{name}.weight".removeprefix(f"{model.base_model_prefix}.")}
        rows = _rows(weights, keys, 1 if padding is None else padding)
        if rows is None:
            continue
        unused = rows[0] <= MUCH_SMALLER * rows[1]
        if padding is not None and not unused:
            return (
                f"{model.config.model_type} does not read row {padding} of its position embeddings, but the weights "
                "have one that was trained: they may be BERT's. Check model_type in config.json"
            )
        if padding is None and rows[0] == 0 < rows[1]:
            return (
                f"row 1 of the position embeddings is 0, as RoBERTa's and not {model.config.model_type}'s: the weights "
                "may be of another architecture. Check model_type in config.json"
            )
    return None


def _ends(key: str) -> list[str]:
    """The parts of a name after each of its points."""
    return [key[match.end() :] for match in re.finditer(r"\.", key)]


def _rows(weights: Sequence[Path], keys: set[str], row: int) -> tuple[float, float] | None:
    """The norms of a row and of the next one; None where the file has no such weights."""
    for path in weights:
        with safe_open(path, framework="pt") as file:
            for key in keys & set(file.keys()):
                rows = file.get_slice(key)[row : row + 2].float()
                return float(rows[0].norm()), float(rows[1].norm())
    return None
