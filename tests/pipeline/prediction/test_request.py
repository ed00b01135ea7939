"""Inputs and outputs that can't be used together."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.prediction.request import PredictionRequest
from pipeline.prediction.run import predict_rows
from stages.errors import DataError
from stages.inference.classifier import Classifier
from tests.pipeline.prediction.rows import write_csv


def test_files_and_outputs_that_can_not_be_are_named(predict: Callable[..., Path], model: Path, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "in.csv", ["good"])
    with pytest.raises(DataError, match=r"none\.csv is missing"):
        predict(tmp_path / "none.csv", "out.csv")
    with pytest.raises(DataError, match=r"is a folder"):
        predict(tmp_path, "out.csv", format="csv")
    with pytest.raises(DataError, match=r"is also the input"):
        predict(file, "in.csv")
    with pytest.raises(DataError, match=r"the format is not known\. Give a name in \.csv"):
        predict(file, "out.txt")
    with pytest.raises(DataError, match="--resume needs the file of the interrupted run"):
        predict_rows(PredictionRequest(str(file), None, model, resume=True), Classifier.load, every_label=False)
    with pytest.raises(DataError, match="--resume can't read standard input again"):
        predict_rows(
            PredictionRequest("-", tmp_path / "out.csv", model, resume=True), Classifier.load, every_label=False
        )


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl", "in.parquet", "in.txt", "in.xlsx"])
def test_a_pointer_of_git_lfs_is_named(predict: Callable[..., Path], tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(
        DataError, match=rf"{name} is a pointer of git-lfs, not the file itself. Fetch it: git lfs pull"
    ):
        predict(tmp_path / name, "out.parquet")


@pytest.mark.parametrize("option", ["prefix", "column", "pair_column", "sheet", "encoding", "delimiter"])
@pytest.mark.parametrize("out", ["out.csv", "out.jsonl", "out.parquet"])
def test_a_name_that_is_not_unicode_is_refused(
    predict: Callable[..., Path], tmp_path: Path, option: str, out: str
) -> None:
    """A terminal's byte that is not UTF-8 comes as a lone surrogate, which no output can hold."""
    file = write_csv(tmp_path / "in.csv", ["good"])
    with pytest.raises(DataError, match=rf"--{option.replace('_', '-')} '\\udc80' is not valid Unicode"):
        predict(file, out, **{option: os.fsdecode(b"\x80")})
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]
