"""suspects.csv as a review reads it: whatever is wrong with the file is one line that says how to write it anew."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.review.rows import read_suspects
from stages.errors import DataError
from stages.paths import Paths
from tests.pipeline.review import reviewing

LINE = "r2,2,test,5,1,0.02,0.91"
DAMAGES: dict[str, Callable[[str], bytes]] = {
    "not UTF-8": lambda text: text.encode() + "café,1,test,5,1,0.1,0.9\n".encode("latin-1"),
    "a position that is no number": lambda text: text.replace(LINE, LINE.replace(",2,", ",two,")).encode(),
    "no position": lambda text: text.replace(LINE, LINE.replace(",2,", ",,")).encode(),
    "a negative position": lambda text: text.replace(LINE, LINE.replace(",2,", ",-1,")).encode(),
    "a short row": lambda text: f"{text}r2\n".encode(),
    "a long row": lambda text: f"{text}{LINE},1\n".encode(),
    "no suggestion": lambda text: text.replace(LINE, LINE.replace(",1,", ",,")).encode(),
    "no probability": lambda text: text.replace("0.02", "").encode(),
    "a probability that is no number": lambda text: text.replace("0.91", "high").encode(),
    "a probability that is not finite": lambda text: text.replace("0.91", "nan").encode(),
    "a huge cell": lambda text: f"{text}r2,{'9' * 200_000},test,5,1,0.02,0.91\n".encode(),
    "an open quote": lambda text: f'{text}"{LINE}\n'.encode(),
}
COLUMNS = ("id", "position", "suggested", "given_probability", "suggested_probability")
OTHER_KINDS = {  # of target -> columns of suspects.csv, and lines about r0
    "label_set": (["id", "position", "label", "suggested"], [["app", "yes"], ["", "yes"], ["app", ""]]),
    "number": (["id", "position", "predicted"], [["20.5"], [""], ["much"], ["inf"]]),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = reviewing.create(tmp_path / "project")
    reviewing.suspects_of_classes(root)
    return root


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_one_line(root: Path, damage: str) -> None:
    path = Paths(root).report / "suspects.csv"
    path.write_bytes(DAMAGES[damage](path.read_text()))
    with pytest.raises(DataError) as raised:
        read_suspects(reviewing.opened(root)[0])
    assert str(raised.value) == "data/report/suspects.csv is damaged. Write it again: retune run"


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_that_is_missing_is_named(root: Path, column: str) -> None:
    path = Paths(root).report / "suspects.csv"
    header, rest = path.read_text().split("\n", 1)
    names = ["other" if name == column else name for name in header.strip().split(",")]
    path.write_text(",".join(names) + "\n" + rest)
    with pytest.raises(DataError, match=f"suspects.csv has no column {column}. Write it again: retune run"):
        read_suspects(reviewing.opened(root)[0])


@pytest.mark.parametrize("target", OTHER_KINDS)
def test_the_columns_of_the_other_kinds_are_checked_too(tmp_path: Path, target: str) -> None:
    labels = {"label_set": reviewing.SETS, "number": reviewing.NUMBERS}[target]
    root = reviewing.create(tmp_path / "project", labels=labels, target=target)
    columns, (whole, *damaged) = OTHER_KINDS[target]
    reviewing.write_suspects(root, columns, [["r0", 0, *whole]])
    assert [row.id for row in read_suspects(reviewing.opened(root)[0])] == ["r0"]
    for cells in damaged:
        reviewing.write_suspects(root, columns, [["r0", 0, *cells]])
        with pytest.raises(DataError, match="suspects.csv is damaged"):
            read_suspects(reviewing.opened(root)[0])
