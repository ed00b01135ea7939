"""params.yaml is never overwritten where that would lose what a person wrote."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.params_file import WRITTEN, EditedError, find_edits, write_params
from tests.pipeline import toy

FIRST = "seeds: [1]\nfinetune: {learning_rate: 2.0e-5}  # the peak\n"
OTHER = "seeds: [7]\nfinetune: {learning_rate: 1.0e-3}\n"
EDITED = FIRST.replace("2.0e-5", "3e-5")
LOST = ["finetune.learning_rate 2e-05 -> 3e-05"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    toy.git(tmp_path, "init", "-q", "-b", "main")
    return tmp_path


def commit(root: Path, text: str) -> None:
    (root / "params.yaml").write_text(text)
    toy.git(root, "add", "params.yaml")
    toy.git(root, "commit", "-qm", "params")


def of_recipe(root: Path, text: str) -> None:
    (root / "recipes").mkdir()
    (root / "recipes/default.yaml").write_text(text)
    (root / "params.yaml").write_text(text)


KEPT: dict[str, Callable[[Path], object]] = {  # where a text stands elsewhere too
    "committed": lambda root: commit(root, FIRST),
    "committed with CRLF": lambda root: commit(root, FIRST.replace("\n", "\r\n")),
    "written from a recipe": lambda root: write_params(root, FIRST, replace=True),
    "the default": lambda root: of_recipe(root, FIRST),
}


@pytest.mark.parametrize("how", KEPT)
def test_what_stands_elsewhere_is_replaced(root: Path, how: str) -> None:
    KEPT[how](root)
    assert find_edits(root) == []
    assert write_params(root, OTHER, replace=True)
    assert (root / "params.yaml").read_text() == OTHER
    assert write_params(root, FIRST, replace=True), "what retune itself wrote is no edit"


@pytest.mark.parametrize("how", KEPT)
def test_an_edit_is_refused_and_named(root: Path, how: str) -> None:
    KEPT[how](root)
    (root / "params.yaml").write_text(EDITED)
    with pytest.raises(
        EditedError, match=r"would be lost: finetune.learning_rate 2e-05 -> 3e-05. Commit the file"
    ) as no:
        write_params(root, OTHER, replace=True)
    assert no.value.edits == LOST
    assert (root / "params.yaml").read_text() == EDITED
    assert write_params(root, OTHER, replace=True, force=True)
    assert (root / "params.yaml").read_text() == OTHER


def test_values_that_a_person_set_are_an_edit_until_they_are_committed(root: Path) -> None:
    write_params(root, FIRST, replace=True)
    assert write_params(root, EDITED), "as `retune run -S` and `retune init` do"
    with pytest.raises(EditedError, match="finetune.learning_rate 2e-05 -> 3e-05"):
        write_params(root, OTHER, replace=True)
    commit(root, EDITED)
    assert write_params(root, OTHER, replace=True)


def test_a_change_that_keeps_the_edits_does_not_make_them_retunes_own(root: Path) -> None:
    write_params(root, FIRST, replace=True)
    (root / "params.yaml").write_text(EDITED)
    assert write_params(root, EDITED.replace("[1]", "[2]"))
    with pytest.raises(EditedError, match="seeds .*; finetune.learning_rate"):
        write_params(root, OTHER, replace=True)


EDITS = {
    "a comment": (FIRST.replace("the peak", "my peak"), ["comments or layout alone"]),
    "no YAML": ("seeds: [", ["the file can't be read as YAML"]),
    "not UTF-8": ("seeds: [1] # \udcff\n", None),
    "a new key": (FIRST + "mine: 1\n", ["mine is new (1)"]),
    "a removed key": ("seeds: [1]\n", ["finetune was removed"]),
}


@pytest.mark.parametrize("kind", EDITS)
def test_every_kind_of_edit_counts(root: Path, kind: str) -> None:
    text, named = EDITS[kind]
    write_params(root, FIRST, replace=True)
    (root / "params.yaml").write_text(text, "utf-8", "surrogateescape")
    with pytest.raises(EditedError) as refused:
        write_params(root, OTHER, replace=True)
    assert named in (None, refused.value.edits)
    str(refused.value).encode()


def test_a_file_that_was_never_kept_is_an_edit_as_a_whole(root: Path) -> None:
    (root / "params.yaml").write_text(FIRST)
    with pytest.raises(EditedError):
        write_params(root, OTHER, replace=True)


def test_the_same_text_and_a_missing_file(root: Path) -> None:
    assert write_params(root, FIRST, replace=True)
    assert not write_params(root, FIRST, replace=True)
    (root / "params.yaml").unlink()
    assert find_edits(root) == []
    assert write_params(root, OTHER, replace=True)


def test_where_nothing_can_be_noted_it_is_still_written(root: Path) -> None:
    (root / ".retune").write_text("a file in the way")
    assert write_params(root, FIRST, replace=True)
    assert not (root / WRITTEN).exists()


def test_many_edits_are_shortened(root: Path) -> None:
    write_params(root, "".join(f"k{number}: 0\n" for number in range(9)), replace=True)
    (root / "params.yaml").write_text("".join(f"k{number}: 1\n" for number in range(9)))
    with pytest.raises(EditedError, match=r"k4 0 -> 1; and 4 more\. Commit"):
        write_params(root, OTHER, replace=True)
