"""The project's own code that computes rows, as a hash."""

import hashlib
from functools import cache
from pathlib import Path

STAGES = Path(__file__).parents[1]
CODE = ("model", "kept", "inference", "finetune/acceleration", "tokens.py", "row_labels.py")  # a test compares imports


@cache
def code_hash() -> str:
    """Return a hash of all code below `stages/` that can change what a model gives for a row."""
    files = [file for name in CODE for file in (sorted((STAGES / name).rglob("*.py")) or [STAGES / name])]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
