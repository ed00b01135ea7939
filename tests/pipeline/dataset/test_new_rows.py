"""Whether a file has new rows of the data set that params.yaml describes, and what is kept of it."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import recipes
from pipeline.dataset.column import Column
from pipeline.dataset.implied import data_names
from pipeline.dataset.new_rows import describe_again, former_dataset, kept_columns, own_dataset
from pipeline.dataset.opening import is_text_in
from pipeline.dataset.sample import Sample
from stages.params import parse_mapping
from tests.pipeline import toy

RECIPES = sorted(path.stem for path in (toy.REPOSITORY / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("recipe", RECIPES)
def test_no_file_has_new_rows_of_a_recipe(recipe: str) -> None:
    """Whatever its name."""
    values = parse_mapping(recipes.compose(toy.REPOSITORY, recipe), name=recipe)
    folder = Path(values["download"]["dataset"]["folder"]).name
    for name in (*data_names(values), folder):
        assert former_dataset(values, f"data/mine/{name}") == {}, name


FOLDERS = {  # the folder of params.yaml, the path of the file -> is it a person's own?
    ("data/samples", "data/mine/rows.csv"): False,
    ("data/samples/", "data/samples/rows.csv"): False,
    ("data/samples/rows.csv", "data/mine/rows.csv"): False,
    ("./data/samples/rows.csv", "rows.csv"): False,
    ("data/samples/rows.csv", "data/samples/rows.csv"): True,
    ("data/samples_of_mine/rows.csv", "data/mine/rows.csv"): True,
    ("data/mine/rows.csv", "data/mine/rows.csv"): True,
    ("private/rows.csv", "data/mine/rows.csv"): True,
}


@pytest.mark.parametrize(("folder", "path"), FOLDERS)
def test_whose_data_set_it_is(folder: str, path: str) -> None:
    values: dict[str, Any] = {"download": {"dataset": {"folder": folder, "files": [{"source": folder}]}}}
    assert bool(own_dataset(values, path)) == FOLDERS[folder, path]
    assert bool(former_dataset(values, path)) == FOLDERS[folder, path]
    assert former_dataset(values, "data/mine/other.csv") == {}


TEXT = {  # how a file is written, the encoding -> is it text in it?
    ("cp1252", "utf-8"): False,
    ("cp1252", "cp1252"): True,
    ("cp1252", "latin-1"): True,
    ("cp1252", "ascii"): False,
    ("cp1252", "no-such-encoding"): False,
    ("utf-8", "utf-8"): True,
    ("utf-16", "utf-8"): False,
    ("shift_jis", "utf-8"): False,
}


@pytest.mark.parametrize(("written", "encoding"), TEXT)
def test_whether_a_file_is_text_in_an_encoding(tmp_path: Path, written: str, encoding: str) -> None:
    letters = "テキスト" if written == "shift_jis" else "café"
    (tmp_path / "rows.csv").write_bytes(f"text,label\n{letters},x\n".encode(written))
    assert is_text_in(tmp_path / "rows.csv", encoding) == TEXT[written, encoding]


def test_a_letter_that_is_cut_at_the_end_of_the_first_bytes_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a" + "é" * (1 << 20))
    assert is_text_in(tmp_path / "rows.csv", "utf-8")
    (tmp_path / "short.csv").write_bytes("é".encode()[:1])
    assert not is_text_in(tmp_path / "short.csv", "utf-8")


KEPT = {  # the columns of params.yaml -> those that the file still has
    "names": ({"text": "text", "label": "label", "slices": ["app"]}, {"text": "text", "label": "label"}),
    "a number where there is a header": ({"text": 1}, {"text": "1"}),
    "blanks left out": ({"label": "stars"}, {"label": " stars"}),
    "several labels": ({"label": ["app", "pay"]}, {"label": ["app", "pay"]}),
    "some of several labels": ({"label": ["app", "nope"]}, {}),
    "one name with a comma": ({"label": "app,pay"}, {}),
    "no column": ({"id": None, "group": None, "text": None, "label": None}, {"id": None, "group": None}),
    "a column that is gone": ({"id": "nope", "label": "nope"}, {}),
    "lists": ({"label": "tags"}, {"label": "tags"}),
}


@pytest.mark.parametrize("case", KEPT)
def test_columns_that_the_file_still_has(case: str) -> None:
    before, now = KEPT[case]
    columns = tuple(Column(name) for name in ("text", "label", " stars", "app", "pay", "1"))
    assert kept_columns(Sample("csv", columns=columns, lists=("tags",)), {"columns": before}) == now


@pytest.mark.parametrize(("before", "now", "header"), [(True, True, False), (False, True, True), (None, True, False)])
def test_a_header_is_denied_again_where_a_person_had_denied_it(
    tmp_path: Path, before: bool | None, now: bool, header: bool
) -> None:
    """So where the rows of before looked as if they had one; None: nobody has them any more."""
    rows = "".join(f"a text of its own {n},{n % 2}\n" for n in range(9))
    names = {True: "text,label\n", False: ""}
    earlier, file = tmp_path / "before.csv", tmp_path / "now.csv"
    if before is not None:
        earlier.write_text(names[before] + rows)
    file.write_text(names[now] + rows)
    former = {"delimiter": None, "quoting": True, "header": False, "encoding": "utf-8", "format": "csv"}
    former["columns"] = {"text": 0, "label": 1}
    assert describe_again(file, {}, former, earlier).header == header


ENCODINGS = {  # of before -> of a file in cp1252 now
    "utf-8": "cp1252",
    "ascii": "cp1252",
    "utf-16-le": "cp1252",  # in which its bytes are letters of other scripts
    "cp1250": "cp1250",
    "latin-1": "latin-1",
    "no-such-encoding": "cp1252",
}


@pytest.mark.parametrize("before", ENCODINGS)
def test_the_encoding_of_before_stays_where_the_columns_are_found_in_it(tmp_path: Path, before: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes("".join(["body,kind\n", *(f"café au lait {n:02},k{n % 2}\n" for n in range(10))]).encode("cp1252"))
    former = {"delimiter": None, "quoting": False, "header": True, "encoding": before, "format": "csv"}
    former["columns"] = {"text": "kind", "label": "body"}
    sample = describe_again(file, {}, former)
    assert (sample.encoding, sample.quoting) == (ENCODINGS[before], False), "the rest stays too"
    assert kept_columns(sample, former) == former["columns"]
