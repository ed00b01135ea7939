"""Files of results that a pull request brings: good ones are read, anything else is damage in one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.comparison.result_files import read_rows, read_seed, read_target
from pipeline.comparison.targets import COMPARED
from stages.errors import PipelineError
from stages.predictions import Predictions, write_predictions
from stages.targets.target import KINDS, Target

CLASSES = Target("classes", ["ham", "spam"])
GOOD = {"id": ["a", "b"], "split": ["val", "test"], "label": [0, 1], "position": [0, 1]}


def seed_table(**changed: Any) -> pa.Table:
    flat = pa.array(changed.pop("flat", [0.5] * 4), pa.float32())
    columns = {**GOOD, "probabilities": pa.FixedSizeListArray.from_arrays(flat, 2), **changed}
    return pa.table({name: values for name, values in columns.items() if values is not None})


def write_table(table: pa.Table) -> Callable[[Path], Any]:
    return lambda path: pq.write_table(table, path)


def text(value: str) -> Callable[[Path], Any]:
    return lambda path: path.write_text(value)


ROWS = {"id": ["a"], "text": ["x"], "label": ["y"]}
DAMAGED: dict[str, tuple[Callable[..., Any], Callable[[Path], Any]]] = {
    "labels: half a file": (read_target, text("[")),
    "labels: an object": (read_target, text("{}")),
    "labels: numbers": (read_target, text("[1, 2]")),
    "labels: twice": (read_target, text('["a", "a"]')),
    "labels: deep": (read_target, text("[" * 200_000)),
    "labels: a folder": (read_target, Path.mkdir),
    "seed: no table": (read_seed, text("x")),
    "seed: empty": (read_seed, text("")),
    "seed: no probabilities": (read_seed, write_table(seed_table(probabilities=None))),
    "seed: probabilities that are no list": (read_seed, write_table(seed_table(probabilities=[0.5, 0.5]))),
    "seed: no split": (read_seed, write_table(seed_table(split=None))),
    "seed: labels that are texts": (read_seed, write_table(seed_table(label=["x", "y"]))),
    "seed: an unknown label": (read_seed, write_table(seed_table(label=[0, 2]))),
    "seed: a negative label": (read_seed, write_table(seed_table(label=[-1, 0]))),
    "seed: an unknown prediction": (read_seed, write_table(seed_table(pred=[0, 9]))),
    "seed: NaN": (read_seed, write_table(seed_table(flat=[0.5, float("nan"), 0.5, 0.5]))),
    "seed: no id": (read_seed, write_table(seed_table(id=["a", None]))),
    "seed: ids that are numbers": (read_seed, write_table(seed_table(id=[1, 2]))),
    "rows: no table": (read_rows, text("x")),
    "rows: a column less": (read_rows, write_table(pa.table({"id": ["a"], "text": ["x"]}))),
    "rows: labels that are numbers": (read_rows, write_table(pa.table({**ROWS, "label": [1]}))),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_what_is_damaged_is_said_in_one_line(tmp_path: Path, case: str) -> None:
    read, write = DAMAGED[case]
    write(tmp_path / "file")
    options = {"target": CLASSES} if read is read_seed else {}
    with pytest.raises(PipelineError, match=r"^data/file of evil is damaged. Write it again: retune run$"):
        read(tmp_path / "file", name="data/file of evil", **options)


def test_sound_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(["ham", "spam"]))
    assert read_target(tmp_path / "labels.json", name="x") == CLASSES
    pq.write_table(pa.table(ROWS), tmp_path / "rows.parquet")
    assert read_rows(tmp_path / "rows.parquet", name="x").to_pydict() == ROWS
    split = Predictions(np.array([0]), ["a"], np.array([1]), np.array([[0.25, 0.75]], np.float32), tokens=np.array([3]))
    write_predictions(tmp_path / "seed.parquet", {"test": split})
    read = read_seed(tmp_path / "seed.parquet", name="x", target=CLASSES)
    assert read["test"].probabilities.tolist() == [[0.25, 0.75]]
    assert len(read["val"]) == 0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in COMPARED])
def test_a_kind_that_is_not_judged_is_said_in_one_line(kind: str, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(json.dumps({"target": kind, "labels": ["a", "b"]}))
    with pytest.raises(
        PipelineError, match=rf"^x: the label is of the kind {kind}, which .* not support yet. .*dvc metrics"
    ):
        read_target(tmp_path / "labels.json", name="x")
