"""Rows of each kind of target, divided into folds, as tokenize and split would leave them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.files import write_json
from stages.params import Params
from stages.paths import Paths
from stages.row_labels import label_array
from stages.split.division import write_positions
from stages.split.folds import divide_into_folds, write_folds
from stages.split_inputs import SplitInputs
from stages.targets.target import Kind, Target
from stages.tokens import TOKENS_FILE
from tests.stages.finetune import runs
from tests.stages.finetune.tiny import LABELS, SPECIAL, VOCABULARY, write_encoder

ROWS = 150
TARGETS: dict[Kind, Target] = {
    "classes": Target("classes", LABELS),
    "ordered": Target("ordered", LABELS),
    "label_set": Target("label_set", LABELS),
    "number": Target("number", ["low", "high"], [1.0]),
}


def labels_of(kind: Kind) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return labels as tokenize stores them, and the word of each row that shows its label."""
    word = np.random.default_rng(0).integers(len(LABELS), size=ROWS)
    word[1::5] = word[::5]  # twins
    if kind == "label_set":
        return np.stack([word == 0, word <= 1, word == 2], axis=1), word
    return (word.astype(np.float64) if kind == "number" else word), word


def write_rows(paths: Paths, target: Target, labels: NDArray[Any], word: NDArray[np.int64]) -> SplitInputs:
    """Write tokens and labels: word 10 + `word` stands in each row among random ones; every fifth row has a twin."""
    random = np.random.default_rng(1)
    number = np.issubdtype(labels.dtype, np.floating)
    ids = [_sentence(random, int(shown)) for shown in word]
    text_key = np.arange(len(word))
    for row in range(0, len(word) - 1, 5):
        text_key[row + 1] = text_key[row]
        ids[row + 1] = ids[row]
    table = pa.table(
        {
            "id": [f"r{row}" for row in range(len(word))],
            "label": label_array((labels >= 1).astype(np.int64) if number else labels),
            "group": pa.nulls(len(word), pa.string()),
            "split": pa.nulls(len(word), pa.string()),
            "text_key": pa.array(text_key, pa.int64()),
            "cluster": pa.nulls(len(word), pa.int64()),
            "input_ids": pa.array(ids, pa.list_(pa.int32())),
        }
        | ({"target": label_array(labels)} if number else {})
    )
    paths.tokens.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(paths.tokens / TOKENS_FILE), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=50)
    write_json(paths.labels, target.to_json())
    return SplitInputs.of(table)


def write_project(
    paths: Paths, kind: Kind = "classes", *, folds: Sequence[int] = (1, 2, 3), labels: NDArray[Any] | None = None
) -> Params:
    """Write everything that crossfit reads, and return the params."""
    own, word = labels_of(kind)
    inputs = write_rows(paths, TARGETS[kind], own if labels is None else labels, word)
    for name, rows in zip(("train", "val", "test"), np.split(np.arange(ROWS), [100, 125]), strict=True):
        write_positions(paths.split(name), rows)
    write_folds(paths, divide_into_folds(inputs, np.arange(ROWS), folds=folds, seed=1), inputs)
    if not paths.encoder.exists():
        write_encoder(paths.encoder)
    return params(folds=folds)


def params(*, method: str = "frozen", folds: Sequence[int] = (1, 2, 3), **finetune: Any) -> Params:
    """Return the default params with folds."""
    values = runs.params(**finetune)
    changed = type(values.crossfit).model_validate({"folds": list(folds), "method": method, "seed": 1})
    return values.model_copy(update={"crossfit": changed})


def _sentence(random: np.random.Generator, shown: int) -> list[int]:
    words = random.integers(20, VOCABULARY, size=int(random.integers(1, 12)))
    words[random.integers(len(words))] = 10 + shown
    return [SPECIAL["[CLS]"], *map(int, words), SPECIAL["[SEP]"]]
