"""What init takes a folder for: classes, splits of classes, or a saved data set; and what is in the way."""

from pathlib import Path

import datasets
import pytest

from pipeline.dataset.describe import describe, params_of
from stages.errors import DataError


def folder_of(path: Path, *files: str) -> None:
    for file in files:
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        (path / file).write_text(file)


def layout(*splits: str, classes: str = "ab") -> list[str]:
    return [f"{split}/{label}/1.txt" for split in splits for label in classes]


SPLITS = {  # folders of splits -> the split of each
    "train test": {"train": "train", "test": "test"},
    "train val test": {"train": "train", "val": "val", "test": "test"},
    "Train Valid": {"Train": "train", "Valid": "val"},
    "train dev": {"train": "train", "dev": "val"},
    "training validation testing": {"training": "train", "validation": "val", "testing": "test"},
    "train eval": {"train": "train", "eval": "val"},
    "train": {"train": "train"},
}


@pytest.mark.parametrize("names", SPLITS)
def test_folders_of_splits_are_files_with_a_split(tmp_path: Path, names: str) -> None:
    folder_of(tmp_path, *layout(*names.split()), f"{names.split()[0]}/c/1.txt")
    sample = describe(tmp_path)
    files = params_of(sample, {}, path="data/mine/films")["download.dataset.files"]
    expected = [{"source": f"data/mine/films/{name}", "split": split} for name, split in SPLITS[names].items()]
    assert sorted(files, key=str) == sorted(expected, key=str)
    notes = dict(sample.notes)
    assert notes["classes"] == "3: a, b, c"
    assert all(f"{name} (as {split})" in notes["splits"] for name, split in SPLITS[names].items())


def test_a_folder_per_class_is_one_source_and_names_its_classes(tmp_path: Path) -> None:
    folder_of(tmp_path, "good/1.txt", "bad/deep/1.txt", "test/1.txt")
    (tmp_path / "empty").mkdir()
    sample = describe(tmp_path)
    assert params_of(sample, {}, path="x")["download.dataset.files"] == [{"source": "x"}]
    assert sample.notes == (("classes", "3: bad, good, test"),)


def test_files_beside_the_classes_are_counted(tmp_path: Path) -> None:
    folder_of(tmp_path, *layout("train", "test"), "README.md", "imdb.vocab", "notes.pdf", "train/urls.txt", ".DS_Store")
    notes = dict(describe(tmp_path).notes)
    expected = "4 outside the class folders: README.md, imdb.vocab, notes.pdf, train/urls.txt"
    assert notes["not read"] == expected


IN_THE_WAY = {
    "a table beside the folders": (["a/1.txt", "b/1.txt", "rows.csv"], r"per class: rows.csv lies beside its folders"),
    "a split without classes": ([*layout("train"), "test/1.txt"], "test is named after a split, but holds no folder"),
    "splits of files": (["train/1.txt", "test/1.txt"], "test, train is named after a split, but holds no folder"),
    "another folder beside splits": (
        [*layout("train", "test"), "raw/a/1.txt"],
        "has the splits test, train, but also raw. Move these away",
    ),
    "one class": (["a/1.txt"], "is a folder, but does not hold one folder of text files per class"),
    "splits of one class": (layout("train", "test", classes="a"), "is a folder, but does not hold one"),
    "nothing": ([], "is a folder, but does not hold one"),
}


@pytest.mark.parametrize("case", IN_THE_WAY)
def test_what_is_in_the_way_is_named(tmp_path: Path, case: str) -> None:
    files, message = IN_THE_WAY[case]
    folder_of(tmp_path, *files)
    with pytest.raises(DataError, match=message):
        describe(tmp_path)


@pytest.mark.parametrize(
    ("splits", "note"),
    [
        ("train eval", "train (as train), eval (as val)"),
        ("extra train", "train (as train); not read: extra"),
    ],
)
def test_the_splits_of_a_saved_data_set_are_named(tmp_path: Path, splits: str, note: str) -> None:
    rows = datasets.Dataset.from_dict({"text": ["a", "b"], "label": ["x", "y"]})
    datasets.DatasetDict(dict.fromkeys(splits.split(), rows)).save_to_disk(tmp_path)
    sample = describe(tmp_path)
    assert (sample.format, sample.rows, sample.notes) == ("arrow", 2, (("splits", note),))


def test_a_folder_is_not_read_in_the_format_of_a_file(tmp_path: Path) -> None:
    folder_of(tmp_path, "a/1.txt", "b/1.txt")
    with pytest.raises(DataError, match="is a folder, but download.dataset.format is csv. Name a file in it"):
        describe(tmp_path, {"format": "csv"})
