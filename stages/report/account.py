"""The data account, the clock and the parameters, as plain tables of the report."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.files import read_json
from stages.paths import Paths

Row = tuple[str, str]

LIBRARIES = ("torch", "lightning", "transformers", "tokenizers", "numpy", "scikit-learn", "pandas", "pyarrow", "dvc")


def read_lengths(path: Path) -> dict[int, int]:
    """Read lengths.csv: tokens to rows."""
    with path.open(encoding="utf-8", newline="") as file:
        return {int(row["tokens"]): int(row["rows"]) for row in csv.DictReader(file)}


def read_timing(paths: Paths, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Read the seconds and megabytes of every stage that ran before this one, in the order of the graph."""
    stages = ["download@dataset", "download@model", "tokenize", "split"]
    stages += [f"{stage}@{seed}" for seed in seeds for stage in ("finetune", "evaluate")]
    return [{"stage": stage, **read_json(paths.timing(stage))} for stage in stages if paths.timing(stage).is_file()]


def read_versions(path: Path) -> list[Row]:
    """Read the pinned versions of the libraries that make the numbers; none where the file is missing."""
    if not path.is_file():
        return []
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    pins = dict(line.split("==", 1) for line in lines if "==" in line)
    return [(name, pins[name].split(";")[0].strip()) for name in LIBRARIES if name in pins]


def flatten(values: Mapping[str, Any], prefix: str = "") -> list[Row]:
    """Return nested values as dotted keys with their values, in order; an empty one stays."""
    rows: list[Row] = []
    for key, value in values.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, Mapping) and value:
            rows += flatten(value, name)
        elif isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
            rows += [row for number, entry in enumerate(value) for row in flatten(entry, f"{name}[{number}]")]
        else:
            rows.append((name, shown(value)))
    return rows


def shown(value: Any) -> str:
    """Return a value as params.yaml writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return str(value) if value != "" else '""'
