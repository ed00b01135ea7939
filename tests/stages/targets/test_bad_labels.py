"""Labels that do not fit the kind that is asked for, or that none can be learned of: one line, before any training."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.recipes import compose
from stages.download.__main__ import main as download
from stages.errors import RetuneError
from stages.params import parse_params_text
from stages.paths import Paths

REPOSITORY = Path(__file__).parents[3]
VALUES = [
    "download.dataset.columns.text=content",
    "download.dataset.columns.label=score",
    "download.dataset.columns.id=null",
    "download.dataset.checks.near_duplicate=ignore",
    "evaluate.metric=auto",
    "split.val=0.2",
    "split.test=0.2",
]
BARS = "download.dataset.label_separator='|'"
FLAGS = "download.dataset.columns.label=[app, bill]"
COUNT = 60

Label = Callable[[int], Any]


def write(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write rows as the name of the file says: as CSV or Parquet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = [f"{path.stem} says word {row} and {row * row}" for row in range(COUNT)]
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"content": texts, **columns}), path)
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["content", *columns])
        rows.writerows(zip(texts, *columns.values(), strict=True))


def downloaded(folder: Path, files: Mapping[str, Mapping[str, Sequence[Any]]], *values: str) -> Paths:
    """Run the stage on files by name; one that is called train, val or test is that split."""
    entries = []
    for name, columns in files.items():
        write(folder / "data/mine" / name, columns)
        split = Path(name).stem
        entries.append(
            f"{{source: data/mine/{name}{f', split: {split}' if split in ('train', 'val', 'test') else ''}}}"
        )
    kind = Path(next(iter(files))).suffix.removeprefix(".")
    given = [f"download.dataset.files=[{', '.join(entries)}]", f"download.dataset.format={kind}", *VALUES, *values]
    text = compose(REPOSITORY, "default", ["download.dataset.folder=data/mine", *given])
    download(parse_params_text(text, name="params.yaml"), Paths(folder), "dataset")
    return Paths(folder)


def column(label: Label, *, name: str = "rows.csv") -> dict[str, Any]:
    return {name: {"score": [label(row) for row in range(COUNT)]}}


def columns(app: Label, bill: Label, *, name: str = "rows.csv") -> dict[str, Any]:
    return {name: {"app": list(map(app, range(COUNT))), "bill": list(map(bill, range(COUNT)))}}


def splits(train: Label, val: Label, test: Label) -> dict[str, Any]:
    return column(train, name="train.csv") | column(val, name="val.csv") | column(test, name="test.csv")


def target(kind: str) -> str:
    return f"download.dataset.target={kind}"


BAD: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "a set where a class is asked for": (
        column(lambda row: '["app"]' if row % 2 else '["app", "bill"]'),
        [target("classes")],
        "but one class is expected. Set download.dataset.target: label_set",
    ),
    "a set where an order is asked for": (
        column(lambda row: '["app"]' if row % 2 else '["app", "bill"]'),
        [target("ordered")],
        "but one class is expected. Set download.dataset.target: label_set",
    ),
    "a set where a number is asked for": (
        column(lambda row: f"[{row}]"),
        [target("number")],
        r"row 2 \(\[0\]\).*the label is not a finite number",
    ),
    "a class where a set is asked for": (
        column(lambda row: "app" if row % 2 else "bill"),
        [target("label_set")],
        r"row 2 \(bill\).*the label is not a list of labels",
    ),
    "columns where a number is asked for": (
        columns(lambda row: row % 2, lambda row: row % 3 // 2),
        [FLAGS, target("number")],
        "download.dataset.target is number, but several columns",
    ),
    "ratings in words": (
        column(lambda row: ["bad", "fair", "good"][row % 3]),
        [target("ordered")],
        r"\['bad', 'fair', 'good'\] are not numbers, so their order is unknown. Give it from low to high",
    ),
    "numbers in words": (
        column(lambda row: "high" if row == 7 else row / 4),
        [target("number")],
        r"row 9 \(high\): the label is not a finite number. Write it as",
    ),
    "a column with a 2": (
        columns(lambda row: row % 2, lambda row: 2 if row == 3 else row % 3 // 2),
        [FLAGS],
        r"row 5 \(the column 'bill' is '2', neither 0 nor 1\)",
    ),
    "a column with a share": (
        columns(lambda row: row % 2, lambda row: 0.5 if row == 3 else 1.0, name="rows.parquet"),
        [FLAGS],
        r"row 4 \(the column 'bill' is '0\.5', neither 0 nor 1\)",
    ),
    "a column with an empty cell": (
        columns(lambda row: row % 2, lambda row: "" if row == 3 else row % 3 // 2),
        [FLAGS],
        r"row 5 \(the column 'bill' is '', neither 0 nor 1\)",
    ),
    "a column with NaN": (
        columns(lambda row: float(row % 2), lambda row: float("nan") if row == 3 else 1.0, name="rows.parquet"),
        [FLAGS],
        r"row 4 \(the column 'bill' is '', neither 0 nor 1\)",
    ),
    "NaN among numbers": (
        column(lambda row: float("nan") if row == 7 else row / 4, name="rows.parquet"),
        [target("number")],
        "row 8: the label is empty",
    ),
    "nan in words among numbers": (
        column(lambda row: "nan" if row == 7 else row / 4),
        [target("number")],
        r"row 9 \(nan\): the label is not a finite number",
    ),
    "infinite among numbers": (
        column(lambda row: float("-inf") if row == 7 else row / 4, name="rows.parquet"),
        [target("number")],
        r"row 8 \(-inf\): the label is not a finite number",
    ),
    "infinite among numbers, for auto": (
        column(lambda row: "inf" if row == 7 else row / 4),
        [],
        "auto finds numbers with fractions, but also 'inf'. Correct these rows",
    ),
    "infinite among few different numbers, for auto": (
        column(lambda row: "inf" if row == 7 else row % 2 / 4),
        [],
        "auto finds numbers with fractions, but also 'inf'. Correct these rows",
    ),
    "infinite among ratings": (
        column(lambda row: "inf" if row % 8 == 7 else row % 3),
        [target("ordered")],
        r"\['inf'\] are not numbers, so their order is unknown",
    ),
    "a label without a row": (
        columns(lambda row: row % 2, lambda row: 0),
        [FLAGS],
        r"No row has the label \['bill'\], so a model can't learn it",
    ),
    "a label without a row in train": (
        splits(lambda row: ["app", "bill"][row % 2], lambda row: ["app", "staff|bill"][row % 2], lambda row: "bill"),
        [BARS],
        r"No row for train has the label \['staff'\], so a model can't learn it. Add rows with it to a file",
    ),
    "a label with too few rows for train": (
        column(lambda row: "staff" if row == 7 else ["app", "bill", ""][row % 3]),
        [BARS],
        "rows for train, val and test .* but: 'staff' has 1 row",
    ),
    "one class": (column(lambda row: "app"), [], "All rows have the label 'app', but a classifier needs at least two"),
    "one rating": (column(lambda row: 3), [target("ordered")], "All rows have the label '3'"),
    "two ratings": (column(lambda row: row % 2), [target("ordered")], "an order needs 3"),
    "one number": (column(lambda row: 0.5), [target("number")], "All rows have the number '0.5', so there is nothing"),
    "one label": (
        column(lambda row: "app" if row % 2 else ""),
        [BARS],
        "only the label 'app', but sets of labels need",
    ),
    "no label": (column(lambda row: ""), [BARS], "no label at all, but sets of labels need at least two"),
    "flags in a list": (
        column(lambda row: f"[{row % 2}, 1, 0]"),
        [],
        "The lists hold '0', '1' alone, so they are flags and name no labels. Write the names",
    ),
    "flags in a list of floats": (
        column(lambda row: [float(row % 2), 1.0, 0.0], name="rows.parquet"),
        [],
        "The lists hold '0', '1' alone, so they are flags",
    ),
    "a metric of another kind": (
        column(lambda row: row / 4),
        ["evaluate.metric=macro_f1"],
        r"evaluate.metric: macro_f1 does not measure this label \(number\). Set one of: auto, r2",
    ),
    "weights of classes for numbers": (
        column(lambda row: row / 4),
        ["finetune.class_weights=balanced"],
        "finetune.class_weights is for classes, but the label is a number. Set it to none",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_it_is_one_line_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    files, values, message = BAD[name]
    with pytest.raises(RetuneError, match=message) as caught:
        downloaded(tmp_path, files, *values)
    assert "\n" not in str(caught.value)
    assert not Paths(tmp_path).rows.exists()


GOOD: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "empty sets and full ones": (column(lambda row: ["app", "bill", "app|bill", ""][row % 4]), [BARS], "label_set"),
    "whole numbers where numbers are asked for": (column(lambda row: row % 7), [target("number")], "number"),
    "ratings with gaps where an order is asked for": (column(lambda row: [1, 3, 9][row % 3]), [target("ordered")], ""),
    "labels 0 and 1 beside another": (column(lambda row: ['["0"]', '["1"]', '["both"]'][row % 3]), [], "label_set"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_looks_alike_and_fits_is_taken(name: str, tmp_path: Path) -> None:
    files, values, kind = GOOD[name]
    metadata = pq.read_schema(downloaded(tmp_path, files, *values).rows).metadata[b"labels"].decode()
    assert f'"target": "{kind or "ordered"}"' in metadata
