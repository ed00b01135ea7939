"""Data that is changed while it is read is refused, whatever the change: DVC would record it as it is afterwards."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.download.unchanged import unchanged
from stages.errors import DataError


def replace(folder: Path) -> None:
    (folder / "new").write_text("a,b\n1,2\n")
    (folder / "new").rename(folder / "rows.csv")


CHANGES: dict[str, Callable[[Path], object]] = {
    "appended to": lambda folder: (folder / "rows.csv").write_text("a,b\n1,2\n3,4\n"),
    "edited at equal size": lambda folder: (folder / "rows.csv").write_text("a,b\n1,3\n"),
    "replaced": replace,
    "removed": lambda folder: (folder / "rows.csv").unlink(),
    "another one below is added": lambda folder: (folder / "more/b.txt").write_text("b"),
    "another one below is moved": lambda folder: (folder / "more/a.txt").rename(folder / "a.txt"),
    "a link leads elsewhere": lambda folder: ((folder / "link").unlink(), (folder / "link").symlink_to("more/a.txt")),
}
NO_CHANGES: dict[str, Callable[[Path], object]] = {
    "nothing": lambda folder: None,
    "it is read": lambda folder: (folder / "rows.csv").read_text(),
    "another link to it": lambda folder: os.link(folder / "rows.csv", folder.parent / "elsewhere.csv"),
    "a hidden file": lambda folder: (folder / ".gitignore").write_text("/rows.csv\n"),
    "a file beside it": lambda folder: (folder.parent / "other.csv").write_text("a"),
    "an empty folder": lambda folder: (folder / "empty").mkdir(),
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "more").mkdir(parents=True)
    (folder / "rows.csv").write_text("a,b\n1,2\n")
    (folder / "more/a.txt").write_text("a")
    (folder / "link").symlink_to("rows.csv")
    return folder


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_refused(data: Path, change: str) -> None:
    with pytest.raises(DataError, match=r"was changed while the data was read.* Run again"), unchanged(data):
        CHANGES[change](data)


@pytest.mark.parametrize("change", NO_CHANGES)
def test_no_change_is_none(data: Path, change: str) -> None:
    with unchanged(data, data / "no such file"):
        NO_CHANGES[change](data)


@pytest.mark.parametrize("change", ["appended to", "edited at equal size", "replaced", "removed"])
def test_a_single_file_is_watched_as_well(data: Path, change: str) -> None:
    with pytest.raises(DataError, match="rows.csv was changed"), unchanged(data / "rows.csv"):
        CHANGES[change](data)
