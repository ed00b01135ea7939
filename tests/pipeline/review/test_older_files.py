"""A file that was exported before others decided: only what was edited in it changes anything."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from pipeline.review import exports
from pipeline.review.answers import read_answers
from pipeline.review.decisions import Added, Decisions
from pipeline.review.imports import check_answers
from pipeline.review.rows import DataSet
from tests.pipeline.review import reviewing

Cells = dict[str, str]
WAYS = ("csv", "csv, safe for spreadsheets", "csv with semicolons", "xlsx", "argilla", "label-studio")


def opened(root: Path, who: str) -> tuple[DataSet, Decisions]:
    data = DataSet(root)
    return data, Decisions(root, data, who=who)


def decide(root: Path, who: str, row_id: str, decision: str, new_label: str = "", note: str = "") -> None:
    data, decisions = opened(root, who)
    row = data.row(row_id)
    now = decisions.of([row]).get(row_id)
    seen = (now.decision, now.new_label) if now else None
    decisions.decide(row, decision, new_label, note=note, seen=seen)


def export(root: Path, file_format: str = "csv", *, safe: bool = False) -> str:
    data, decisions = opened(root, "anna")
    path, rows = root / "out", [data.row(f"r{number}") for number in range(4)]
    path.unlink(missing_ok=True)
    exports.write(path, rows, decisions.of(rows), data, file_format, spreadsheet_safe=safe)
    return path.read_text(encoding="utf-8")


def edited(content: str, edits: dict[str, Cells], *, delimiter: str = ",") -> str:
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, rows[0], delimiter=delimiter)
    writer.writeheader()
    writer.writerows({**row, **edits.get(row["id"], {})} for row in rows)
    return file.getvalue()


def as_workbook(content: str) -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in csv.reader(io.StringIO(content, newline="")):
        book.active.append([float(cell) if cell.replace(".", "").isdigit() else cell for cell in row])
        for cell in book.active[book.active.max_row]:
            cell.data_type = "s" if cell.data_type == "f" else cell.data_type  # "=1+1" is a text here
    book.save(file)
    return file.getvalue()


def take(root: Path, content: str | bytes, who: str = "carla") -> Added:
    path = root / "in"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    data, decisions = opened(root, who)
    answers = read_answers(path, several=data.kind.choice == "several")
    return decisions.add(check_answers(answers, data, decisions.read(), name="in"))


def written(root: Path) -> dict[str, tuple[str, str, str]]:
    return {line.id: (line.decision, line.new_label, line.who) for line in reviewing.corrections(root)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project in which Anna has decided about r0, r1 and r2."""
    root = reviewing.create(tmp_path / "project")
    decide(root, "anna", "r0", "keep", note="=1+1; -x")
    decide(root, "anna", "r1", "relabel", "2")
    decide(root, "anna", "r2", "unclear")
    return root


@pytest.mark.parametrize("way", [way for way in WAYS if way[0] in "cx"])
@pytest.mark.parametrize("run", [False, True], ids=["at once", "after a run"])
def test_what_was_not_edited_undoes_no_later_decision(root: Path, way: str, run: bool) -> None:
    content = export(root, safe="safe" in way)
    decide(root, "boris", "r0", "relabel", "4")
    decide(root, "boris", "r1", "keep")
    decide(root, "boris", "r2", "set_aside")
    decide(root, "boris", "r3", "relabel", "1")
    if run:
        reviewing.download(root)
    before = written(root)
    content = edited(content, {}, delimiter=";" if "semicolons" in way else ",")
    for who in ("anna", "carla"):
        assert take(root, as_workbook(content) if way == "xlsx" else content, who) == Added([], [], [])
        assert written(root) == before


EDITED: dict[str, Callable[[str], str]] = {
    "csv": lambda content: edited(content, {"r3": {"new_label": "1"}}),
    "argilla": lambda content: json.dumps(
        [{**record, "responses": {"label": [{"value": "1"}]}} for record in json.loads(content)]
    ),
    "label-studio": lambda content: json.dumps(
        [
            {**task, "annotations": [{"result": [{"from_name": "label", "value": {"choices": ["1"]}}]}]}
            for task in json.loads(content)
        ]
    ),
}


@pytest.mark.parametrize("file_format", EDITED)
def test_what_two_have_decided_stays_as_it_is_and_is_named(root: Path, file_format: str) -> None:
    content = EDITED[file_format](export(root, file_format))
    decide(root, "boris", "r3", "set_aside")
    assert take(root, content) == Added([], ["r3"], [])
    assert written(root)["r3"] == ("set_aside", "", "boris")


@pytest.mark.parametrize("file_format", EDITED)
def test_who_decides_the_same_changes_nothing(root: Path, file_format: str) -> None:
    content = EDITED[file_format](export(root, file_format))
    decide(root, "boris", "r3", "relabel", "1")
    assert take(root, content) == Added([], [], [])
    assert written(root)["r3"] == ("relabel", "1", "boris")


@pytest.mark.parametrize("file_format", EDITED)
def test_an_edited_answer_of_one_s_own_replaces_the_one_of_the_import_before(root: Path, file_format: str) -> None:
    content = EDITED[file_format](export(root, file_format))
    assert take(root, content).new == ["r3"]
    other = content.replace('"1"', '"3"') if file_format != "csv" else edited(content, {"r3": {"new_label": "3"}})
    assert take(root, other) == Added(["r3"], [], [])
    assert written(root)["r3"] == ("relabel", "3", "carla")


def test_an_edited_row_is_changed_where_nobody_else_has_decided_since(root: Path) -> None:
    edits = {"r0": {"decision": "relabel", "new_label": "3"}, "r1": {"note": "sure"}, "r2": {"decision": "keep"}}
    assert take(root, edited(export(root), edits)) == Added(["r0", "r1", "r2"], [], [])
    expected = {"r0": ("relabel", "3", "carla"), "r1": ("relabel", "2", "carla"), "r2": ("keep", "", "carla")}
    assert written(root) == expected


def test_keep_is_about_the_label_in_the_file_also_where_the_row_has_another_one_by_now(root: Path) -> None:
    content = edited(export(root), {"r3": {"decision": "keep"}})
    decide(root, "carla", "r3", "relabel", "1")
    reviewing.download(root)
    assert take(root, content) == Added(["r3"], [], [])
    assert written(root)["r3"] == ("keep", "", "carla")  # 2, which the source has


def test_a_file_that_does_not_say_what_was_decided_replaces_and_names_it(root: Path) -> None:
    rows = "id,decision,new_label,note\nr0,keep,,=1+1; -x\nr1,relabel,3,\nr3,,1,\n"
    assert take(root, rows) == Added(["r1", "r3"], [], ["r1"])
    assert written(root)["r1"] == ("relabel", "3", "carla")
