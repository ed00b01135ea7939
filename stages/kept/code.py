"""The project's own code that computes rows, as a hash."""

import hashlib
from functools import cache
from pathlib import Path

STAGES = Path(__file__).parents[1]
# With what they import: a test compares
CODE = ("model", "kept", "inference", "finetune/acceleration", "extrapolate/features.py", "tokens.py", "row_labels.py")


@cache
def code_hash() -> str:
    """Return a hash of all code below `stages/` that can change what a model gives for a row."""
    files = [file for name in CODE for file in (sorted((STAGES / name).rglob("*.py")) or [STAGES / name])]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
