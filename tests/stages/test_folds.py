"""The files of the folds hold what a fold's model may know, and nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stages.folds import Fold, copy_tokens, read_answers, read_fold, write_answers, write_fold
from stages.tokens import TOKENS_FILE, open_tokens

LABELS = {
    "classes": np.array([2, 1, 0, 2, 1]),
    "number": np.array([0.5, -3.0, 1e9, 2.0, 7.25]),
    "label_set": np.array([[True, False], [False, True], [True, True], [False, False], [True, False]]),
}


def fold_of(labels: Any) -> Fold:
    units = np.array([7, 1, 7, 1, 2])
    return Fold(train=np.array([1, 3]), val=np.array([4]), predicted=np.array([0, 2]), labels=labels, units=units)


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS.keys())
def test_a_fold_is_read_as_it_was_written_but_for_its_own_labels(tmp_path: Path, labels: Any) -> None:
    write_fold(tmp_path / "1.parquet", fold_of(labels))
    read = read_fold(tmp_path / "1.parquet", rows=6)
    assert (read.train.tolist(), read.val.tolist(), read.predicted.tolist()) == ([1, 3], [4], [0, 2])
    assert read.units.tolist() == [7, 1, 7, 1, 2, 0]
    assert read.labels.dtype == labels.dtype
    assert read.labels[[1, 3, 4]].tolist() == labels[[1, 3, 4]].tolist()
    assert not read.labels[[0, 2, 5]].any()


@pytest.mark.parametrize(("row", "same"), [(0, True), (2, True), (1, False), (4, False)])
def test_only_a_label_that_the_fold_learns_changes_its_file(tmp_path: Path, row: int, same: bool) -> None:
    labels = LABELS["classes"].copy()
    write_fold(tmp_path / "before", fold_of(labels))
    labels[row] = (labels[row] + 1) % 3
    write_fold(tmp_path / "after", fold_of(labels))
    assert ((tmp_path / "before").read_bytes() == (tmp_path / "after").read_bytes()) == same


@pytest.mark.parametrize("pairs", [False, True], ids=["texts", "pairs"])
def test_the_copy_of_the_tokens_has_what_the_model_reads_alone(tmp_path: Path, pairs: bool) -> None:
    ids, types = [[2, 7, 3], [2, 3], [2, 8, 9, 3]], [[0, 0, 1], [0, 1], [0, 0, 1, 1]]
    copies = []
    for name, label in (("one", [0, 1, 1]), ("two", [1, 1, 0])):
        columns = {"id": ["a", "b", "c"], "label": pa.array(label, pa.int32()), "input_ids": pa.array(ids)}
        table = pa.table(columns | ({"token_type_ids": pa.array(types, pa.list_(pa.int8()))} if pairs else {}))
        table = table.cast(table.schema.set(2, pa.field("input_ids", pa.list_(pa.int32()))))
        (tmp_path / name).mkdir()
        with pa.OSFile(str(tmp_path / name / TOKENS_FILE), "wb") as file, pa.ipc.new_stream(file, table.schema) as out:
            out.write_table(table, max_chunksize=2)
        copy_tokens(tmp_path / name, tmp_path / f"{name} copied")
        copies.append((tmp_path / f"{name} copied" / TOKENS_FILE).read_bytes())
    assert copies[0] == copies[1]  # whatever the labels
    copied = open_tokens(tmp_path / "one copied", labels=np.arange(3))
    assert [copied.row(row).tolist() for row in range(3)] == ids
    assert copied.labels.tolist() == [0, 1, 2]
    assert bool(copied.token_type_ids) == pairs


def test_answers_are_read_as_they_were_written(tmp_path: Path) -> None:
    answers = np.array([[0.25, 0.75], [1.0, 0.0]], dtype=np.float32)
    write_answers(tmp_path / "1/predictions.parquet", np.array([4, 9]), answers)
    positions, read = read_answers(tmp_path / "1/predictions.parquet")
    assert positions.tolist() == [4, 9]
    np.testing.assert_array_equal(read, answers)
