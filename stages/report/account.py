"""The data account, the clock and the parameters, as plain tables of the report."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from stages.files import read_json
from stages.paths import Paths

Row = tuple[str, str]


def split_counts(paths: Paths) -> dict[str, Counter[str]]:
    """Count the rows of each split by label."""
    labels = pq.read_table(paths.rows, columns=["label"]).column("label")
    return {
        name: Counter(labels.take(pq.read_table(paths.split(name)).column("position")).to_pylist())
        for name in ("train", "val", "test")
    }


def read_texts(paths: Paths, positions: Sequence[int]) -> list[str]:
    """Read the texts of some rows; the second text of a pair follows after a line break."""
    table = pq.read_table(paths.rows, columns=["text", "text_pair"]).take(list(positions))
    return ["\n".join(part for part in row.values() if part) for row in table.to_pylist()]


def read_lengths(path: Path) -> dict[int, int]:
    """Read lengths.csv: tokens to rows."""
    with path.open(encoding="utf-8", newline="") as file:
        return {int(row["tokens"]): int(row["rows"]) for row in csv.DictReader(file)}


def read_timing(paths: Paths, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Read the seconds and megabytes of every stage that ran before this one, in the order of the graph."""
    stages = ["download@dataset", "download@model", "tokenize", "split"]
    stages += [f"{stage}@{seed}" for seed in seeds for stage in ("finetune", "evaluate")]
    return [{"stage": stage, **read_json(paths.timing(stage))} for stage in stages if paths.timing(stage).is_file()]


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
