"""What a label is: as declared, or as `auto` takes it; and what is no such label is one line before any training."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.download.dataset import write_dataset
from stages.errors import DataError, ParamsError
from stages.params import read_params
from stages.targets.rows import number
from stages.targets.rows.choice import choose_kind
from stages.targets.target import Target, check_metric, read_target

PARAMS = read_params(Path(__file__).parents[3] / "recipes/default.yaml")


def read(folder: Path, given: list[str], /, **settings: Any) -> pa.Table:
    """rows.parquet of rows with these labels."""
    (folder / "data").mkdir()
    (folder / "out").mkdir()
    lines = ["content,score", *(f"text number {row},{label}" for row, label in enumerate(given))]
    (folder / "data/rows.csv").write_text("\n".join(lines) + "\n")
    checks = PARAMS.download.dataset.checks.model_copy(
        update={"min_rows_per_label": 1, "near_duplicate": "ignore", **settings.pop("checks", {})}
    )
    dataset = PARAMS.download.dataset.model_copy(
        update={
            "files": [PARAMS.download.dataset.files[0].model_copy(update={"source": "data/rows.csv"})],
            "folder": "data",
            "corrections": "corrections.csv",
            "columns": PARAMS.download.dataset.columns.model_copy(update={"id": None}),
            "checks": checks,
            **settings,
        }
    )
    write_dataset(folder / "out", dataset, root=folder, unpack_limit=10**6)
    return pq.read_table(folder / "out/rows.parquet")


def target_of(table: pa.Table) -> Target:
    return Target.of_json(json.loads(table.schema.metadata[b"labels"]))


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["ham", "spam"], "classes"),
        (["1", "2", "3"], "ordered"),
        (["0.5", "1", "2"], "number"),
        (["-1e-3", "2"], "number"),
        (["0.5", "high"], "classes"),
        (["1_0.5", "2.5"], "classes"),
    ],
)
def test_auto_looks_at_the_labels(labels: list[str], kind: str) -> None:
    assert choose_kind("auto", labels, named=False) == kind
    assert choose_kind("auto", labels, named=True) == "classes"


@pytest.mark.parametrize(
    ("labels", "took", "otherwise"),
    [
        (["ham", "spam"], "classes", ""),
        (
            ["low", "mid", "high"],
            "classes",
            " For classes in order, set {}: ordered and give download.dataset.label_order.",
        ),
        (["0", "1"], "classes", " For numbers, set {}: number."),
        (["10", "20", "30"], "classes", " For classes in order, set {}: ordered; for numbers, set {}: number."),
        (["1", "2", "3"], "classes in order", " For classes, set {}: classes."),
        (["0.5", "2"], "numbers", " For classes, set {}: classes."),
        (['["a"]', "[]"], "sets of labels", " For one label per row, write the labels without lists."),
    ],
)
def test_auto_says_in_one_line_what_it_took_and_how_to_say_otherwise(
    labels: list[str], took: str, otherwise: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    choose_kind("auto", labels, named=False)
    (line,) = caplog.messages
    key = "download.dataset.target"
    assert line.startswith(f"{key}: auto treats the labels as {took} (")
    assert line.endswith(f").{otherwise.replace('{}', key)}")


@pytest.mark.parametrize(("target", "named"), [("auto", True), ("classes", False), ("ordered", False)])
def test_nothing_is_said_of_what_the_parameters_say(target: str, named: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    choose_kind(target, ["1", "2", "3"], named=named)
    assert caplog.messages == []


@pytest.mark.parametrize(
    "labels",
    [[f"{row}.5" for row in range(40)] + ["n/a"], ["0.5", "nan"], ["0.5", "1", "-inf"]],
)
def test_auto_refuses_numbers_with_a_few_others_among_them(labels: list[str]) -> None:
    with pytest.raises(DataError, match=f"finds numbers with fractions, but also '{labels[-1]}'"):
        choose_kind("auto", labels, named=False)


@pytest.mark.parametrize("value", ["high", "nan", "inf", "-inf", "1e999", "3 min", "1_000", "0x10"])
def test_what_is_no_finite_number_is_one_line_or_set_aside(value: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(DataError, match=r"row 4 .*the label is not a finite number\. Write it as 3, 3\.5 or 1e3"):
        read(tmp_path / "a", ["1", "2", value], target="number")
    (tmp_path / "b").mkdir()
    table = read(tmp_path / "b", ["1", "2", value], target="number", checks={"unknown_label": "set_aside"})
    assert table["label"].to_pylist() == ["1", "2"]


@pytest.mark.parametrize(
    ("labels", "settings", "message"),
    [
        (["2", "2.0", "2"], {}, "All rows have the number '2', so there is nothing to learn"),
        (["1", "2"], {"labels": {"1": "one", "2": "two"}}, "download.dataset.labels is about classes"),
        (["1", "2"], {"label_order": ["1", "2"]}, "download.dataset.label_order is about classes"),
        (["1", ""], {}, "the label is empty"),
    ],
)
def test_a_number_that_can_not_be_learned_is_one_line(
    labels: list[str], settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, labels, target="number", **settings)


def test_numbers_are_stored_in_their_shortest_form_and_divided_into_ranges(tmp_path: Path) -> None:
    values = [f"{row}.50" if row % 2 else f"{row}" for row in range(100)]
    table = read(tmp_path, values, target="number")
    target = target_of(table)
    assert table["label"].to_pylist()[:4] == ["0", "1.5", "2", "3.5"]
    assert target.kind == "number"
    assert len(target.labels) == len(target.edges) + 1 == 5
    rows = np.bincount(number.index(table["label"].combine_chunks(), target))
    assert rows.tolist() == [20] * 5
    assert number.values(table["label"].combine_chunks(), target).to_pylist() == [float(value) for value in values]


@pytest.mark.parametrize("values", [[0.0] * 90 + [1.0] * 10, [1.0, 2.0], [1.0 + 1e-9 * row for row in range(60)]])
def test_ranges_have_rows_and_names_of_their_own(values: list[float]) -> None:
    counts: dict[str, int] = {}
    for value in values:
        name = number.stored(str(value)) or ""
        counts[name] = counts.get(name, 0) + 1
    target = number.describe(counts, names={}, order=[])
    index = number.index(pa.array([str(value) for value in values]), target)
    assert set(index.tolist()) == set(range(len(target.labels)))
    assert len(set(target.labels)) == len(target.labels)


@pytest.mark.parametrize(
    "target",
    [Target("classes", ["a", "b"]), Target("number", ["below 1", "1 or more"], [1.0]), Target("number", ["all"])],
)
def test_labels_json_says_what_the_target_is(target: Target, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(target.to_json()))
    assert read_target(tmp_path / "labels.json") == target


def test_a_plain_list_means_classes() -> None:
    assert Target.of_json(["a", "b"]) == Target("classes", ["a", "b"])
    assert Target("classes", ["a", "b"]).to_json() == ["a", "b"]


@pytest.mark.parametrize(
    "content", [{}, {"target": "x", "labels": ["a"]}, {"target": "number"}, [1], ["a", "a"], "a", {"labels": ["a"]}]
)
def test_other_content_is_refused(content: Any) -> None:
    with pytest.raises(ValueError, match="expected|twice"):
        Target.of_json(content)


@pytest.mark.parametrize(("kind", "metric"), [("number", "macro_f1"), ("classes", "r2")])
def test_a_metric_of_another_kind_is_refused(kind: Any, metric: str) -> None:
    with pytest.raises(ParamsError, match=f"evaluate.metric: {metric} does not measure this label"):
        check_metric(Target(kind, ["a", "b"]), metric)
