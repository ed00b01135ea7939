"""A folder of sentence-transformers: where in it the encoder is, and which of its modules have no use here."""

import json
from pathlib import Path
from typing import Any

from stages.model_files import is_present

MODULES = "modules.json"
USED = ("Transformer", "Pooling", "Normalize")  # the last changes no angle, and a head is trained on what it reads


def transformer_folder(folder: Path, name: str) -> Path | None:
    """Return the folder of the encoder in a folder of sentence-transformers; None where modules.json names none."""
    paths = [module.get("path") for module in _modules(folder, name) if _kind(module) == "Transformer"]
    return folder / paths[0] if paths and isinstance(paths[0], str) else None


def home_of(folder: Path, name: str) -> Path:
    """Return the folder whose modules.json names `folder` as its encoder: itself, or the one that it is in."""
    above = transformer_folder(folder.parent, name)
    return folder.parent if above is not None and above.resolve() == folder.resolve() else folder


def unused_modules(folder: Path, name: str) -> list[str]:
    """Return the modules that change the encoder's vectors and are left out, such as Dense."""
    return [kind for module in _modules(folder, name) if (kind := _kind(module)) not in USED]


def _modules(folder: Path, name: str) -> list[dict[str, Any]]:
    if not is_present(folder / MODULES, name):
        return []
    try:
        modules = json.loads((folder / MODULES).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # nothing depends on it but a line of the log
        return []
    return [module for module in modules if isinstance(module, dict)] if isinstance(modules, list) else []


def _kind(module: dict[str, Any]) -> str:
    return str(module.get("type")).rpartition(".")[2]
