"""The account of the data, the clock and the parameters, as plain values that the templates show."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.files import read_json
from stages.paths import Paths

Row = tuple[str, str]

SPLITS = ("train", "val", "test")
LIBRARIES = ("torch", "lightning", "transformers", "tokenizers", "numpy", "scikit-learn", "pandas", "pyarrow", "dvc")


def read_data(paths: Paths, labels: Sequence[str]) -> dict[str, Any]:
    """Read the account of the rows: read, used and set aside, found by the checks, divided, cut, and leaking.

    Args:
        paths: Of the project.
        labels: Names of the classes.
    """
    dataset, split, tokens = (
        read_json(path) for path in (paths.dataset / "stats.json", paths.split_stats, paths.token_stats)
    )
    cut = tokens["per_label"]
    findings = [(rule, count, "set aside") for rule, count in dataset["set_aside"].items()]
    findings += [(rule, count, "used") for rule, count in dataset["warnings"].items()]
    return {
        "dataset": dataset,
        "findings": [(rule.replace("_", " "), count, done) for rule, count, done in findings],
        "sources": read_json(paths.dataset / "source.json")["files"],
        "split_stats": split,
        "leaks": [(kind.replace("_", " "), rows) for kind, rows in split["leak"].items() if kind != "share"],
        "split_rows": [split[name]["rows"] for name in SPLITS],
        "class_rows": [
            (label, [split[name]["labels"][label] for name in SPLITS], cut[label]["rows_cut"], cut[label]["tokens_cut"])
            for label in labels
        ],
        "tokens": tokens,
    }


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
