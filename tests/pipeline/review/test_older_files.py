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
        assert take(root, as_workbook(content) if way == "xlsx" else content, who) == Added([], [], [], [])
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
    assert take(root, content) == Added([], ["r3"], [], [])
    assert written(root)["r3"] == ("set_aside", "", "boris")


@pytest.mark.parametrize("file_format", EDITED)
def test_who_decides_the_same_changes_nothing(root: Path, file_format: str) -> None:
    content = EDITED[file_format](export(root, file_format))
    decide(root, "boris", "r3", "relabel", "1")
    assert take(root, content) == Added([], [], [], [])
    assert written(root)["r3"] == ("relabel", "1", "boris")


@pytest.mark.parametrize("file_format", EDITED)
def test_an_edited_answer_of_one_s_own_replaces_the_one_of_the_import_before(root: Path, file_format: str) -> None:
    content = EDITED[file_format](export(root, file_format))
    assert take(root, content).new == ["r3"]
    other = content.replace('"1"', '"3"') if file_format != "csv" else edited(content, {"r3": {"new_label": "3"}})
    assert take(root, other) == Added(["r3"], [], [], [])
    assert written(root)["r3"] == ("relabel", "3", "carla")


def test_an_edited_row_is_changed_where_nobody_else_has_decided_since(root: Path) -> None:
    edits = {"r0": {"decision": "relabel", "new_label": "3"}, "r1": {"note": "sure"}, "r2": {"decision": "keep"}}
    assert take(root, edited(export(root), edits)) == Added(["r0", "r1", "r2"], [], [], [])
    expected = {"r0": ("relabel", "3", "carla"), "r1": ("relabel", "2", "carla"), "r2": ("keep", "", "carla")}
    assert written(root) == expected


def test_keep_is_about_the_label_in_the_file_also_where_the_row_has_another_one_by_now(root: Path) -> None:
    content = edited(export(root), {"r3": {"decision": "keep"}})
    decide(root, "carla", "r3", "relabel", "1")
    reviewing.download(root)
    assert take(root, content) == Added(["r3"], [], [], [])
    assert written(root)["r3"] == ("keep", "", "carla")  # 2, which the source has


def test_a_file_that_does_not_say_what_was_decided_replaces_and_names_it(root: Path) -> None:
    rows = "id,decision,new_label,note\nr0,keep,,=1+1; -x\nr1,relabel,3,\nr3,,1,\n"
    assert take(root, rows) == Added(["r1", "r3"], [], ["r1"], [])
    assert written(root)["r1"] == ("relabel", "3", "carla")


def saved_with_decimal_commas(content: str) -> str:
    return edited(content, {"r0": {"label": "20,5", "new_label": "12,5"}}, delimiter=";")


UNTOUCHED: dict[str, tuple[str, tuple[str, str, str], bool, Callable[[str], str]]] = {
    # the label of r0, what is decided, whether the export is safe for spreadsheets, how a program saves it
    "as it is": ("20.5", ("relabel", "3", ""), False, str),
    "with a decimal comma": ("20.5", ("relabel", "12.5", ""), False, saved_with_decimal_commas),
    "with three digits after a point": (
        "20.5",
        ("relabel", "1.125", ""),
        False,
        lambda out: edited(out, {}, delimiter=";"),
    ),
    "in another spelling": ("20.5", ("relabel", "3", ""), False, lambda out: edited(out, {"r0": {"new_label": "3.0"}})),
    "an apostrophe before the note": ("20.5", ("relabel", "3", "=1+1"), True, str),
    "keep of a row with another label": ("20.5", ("keep", "", ""), False, str),
    "without blanks in exported": ("20.5", ("relabel", "3", ""), False, lambda out: out.replace('"", ""', '"",""')),
    "without the column note": ("20.5", ("relabel", "3", "so"), False, lambda out: without(out, "note")),
}


def without(content: str, column: str) -> str:
    rows = list(csv.reader(io.StringIO(content, newline="")))
    place, file = rows[0].index(column), io.StringIO(newline="")
    csv.writer(file).writerows([cells[:place] + cells[place + 1 :] for cells in rows])
    return file.getvalue()


def other_text(root: Path) -> None:
    path = root / "data/rows.jsonl"
    path.write_text(path.read_text().replace(json.dumps(reviewing.HOSTILE), '"another text"'))


LATER: dict[str, Callable[[Path], None]] = {
    "decided otherwise": lambda root: decide(root, "boris", "r0", "relabel", "7"),
    "set aside": lambda root: decide(root, "boris", "r0", "set_aside"),
    "another text": other_text,
}


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("way", UNTOUCHED)
def test_an_untouched_line_stops_no_other_line(tmp_path: Path, way: str, later: str) -> None:
    label, decision, safe, saved = UNTOUCHED[way]
    root = reviewing.create(tmp_path / "project", labels=[label, *reviewing.NUMBERS], target="number")
    if decision[0] == "keep":
        decide(root, "anna", "r0", "relabel", "3")
        reviewing.download(root)
    decide(root, "anna", "r0", *decision)
    content = export(root, safe=safe)
    LATER[later](root)
    reviewing.download(root)
    before = written(root)
    content = saved(edited(content, {"r3": {"new_label": "5"}}))
    assert take(root, content) == Added(["r3"], [], [], [])
    assert written(root) == before | {"r3": ("relabel", "5", "carla")}


def test_a_decision_in_the_spelling_of_a_program_is_the_same_decision(root: Path) -> None:
    path = root / "data/corrections.csv"
    path.write_text(path.read_text().replace(",relabel,2,", ",relabel,2.0,"))
    before = written(root)
    assert take(root, edited(export(root), {})) == Added([], [], [], [])
    assert written(root) == before


def test_a_line_as_exported_undoes_no_later_decision_of_one_s_own_and_is_named(root: Path) -> None:
    """It may be a change back, or untouched: the file does not tell. An empty cell says that it is a change."""
    content = export(root)
    assert take(root, edited(content, {"r1": {"new_label": "3"}}), "anna").new == ["r1"]
    assert take(root, edited(content, {}), "anna") == Added([], [], [], ["r1"])
    assert written(root)["r1"] == ("relabel", "3", "anna")
    assert take(root, edited(content, {"r1": {"exported": ""}}), "anna") == Added(["r1"], [], [], [])
    assert written(root)["r1"] == ("relabel", "2", "anna")


NOTES = {  # what Boris notes, what Carla does, what stands there then, whether hers is named as not imported
    "of neither": ("", "", "", False),
    "of him": ("his", "", "his", False),
    "of her": ("", "hers", "hers", False),
    "of both": ("his", "hers", "his", True),
    "the same": ("his", "his", "his", False),
}


@pytest.mark.parametrize("whose", NOTES)
def test_who_decides_the_same_with_another_note_loses_no_note(root: Path, whose: str) -> None:
    his, hers, expected, named = NOTES[whose]
    content = edited(export(root), {"r3": {"new_label": "1", "note": hers}})
    decide(root, "boris", "r3", "relabel", "1", note=his)
    assert take(root, content).stayed == (["r3"] if named else [])
    assert [line.note for line in reviewing.corrections(root) if line.id == "r3"] == [expected]
