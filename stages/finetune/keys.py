"""Keys of computations: equal only where everything that decides the result is."""

import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stages.files import sha256

LIBRARIES = ("torch", "lightning", "transformers", "peft")
KEY_LENGTH = 16


def key_of(values: Mapping[str, Any], files: Iterable[Path] = ()) -> str:
    """Return a key of a computation: its values, the bytes of its files and our code, library versions."""
    stages = Path(__file__).parents[1]
    code = sorted([*stages.glob("*.py"), *(stages / "finetune").rglob("*.py"), *(stages / "model").rglob("*.py")])
    parts = {
        "values": values,
        "files": [sha256(path) for path in [*files, *code]],
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:KEY_LENGTH]
