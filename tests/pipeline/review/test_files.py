"""Decisions by file: what is exported comes back, what tools export is understood, and nothing is half imported."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from pipeline.review import exports
from pipeline.review.answers import read_answers
from pipeline.review.decisions import Decisions
from pipeline.review.imports import check_answers
from pipeline.review.rows import DataSet, read_suspects
from stages.errors import DataError
from tests.pipeline.review import reviewing


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = reviewing.create(tmp_path / "project")
    reviewing.suspects_of_classes(root)
    return root


def take(root: Path, path: Path) -> int:
    data, decisions = reviewing.opened(root)
    answers = read_answers(path, several=data.kind.choice == "several")
    return len(decisions.add(check_answers(answers, data, decisions.read(), name="in")).new)


def export(root: Path, path: Path, file_format: str, *, safe: bool = False) -> tuple[DataSet, Decisions]:
    data, decisions = reviewing.opened(root)
    rows = read_suspects(data)
    exports.write(path, rows, decisions.of(rows), data, file_format, spreadsheet_safe=safe)
    return data, decisions


def edit(
    path: Path, change: Callable[[dict[str, str]], object], *, delimiter: str = ",", encoding: str = "utf-8"
) -> None:
    """Change each row of a CSV file as a spreadsheet does, and save it."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        change(row)
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("safe", [False, True], ids=["as it is", "spreadsheet-safe"])
@pytest.mark.parametrize(("delimiter", "encoding"), [(",", "utf-8-sig"), (";", "utf-8"), ("\t", "utf-16")])
def test_a_csv_comes_back_from_a_spreadsheet(
    root: Path, tmp_path: Path, safe: bool, delimiter: str, encoding: str
) -> None:
    path = tmp_path / "out.csv"
    export(root, path, "csv", safe=safe)
    assert ("'=1+1" in path.read_text()) == safe
    answers = {"r2": {"new_label": "1"}, "r0": {"decision": "keep"}, "r3": {}}
    edit(path, lambda row: row.update(answers[row["id"]]), delimiter=delimiter, encoding=encoding)
    assert take(root, path) == 2
    assert reviewing.decided(root) == {"r2": ("relabel", "1"), "r0": ("keep", "")}
    assert take(root, path) == 0  # the same file again changes nothing


def test_what_is_decided_is_in_the_csv_and_not_in_the_form_of_a_tool(root: Path, tmp_path: Path) -> None:
    data, decisions = reviewing.opened(root)
    decisions.decide(data.row("r2"), "relabel", "1", note="plainly", seen=None)
    export(root, tmp_path / "out.csv", "csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["r2", "r0", "r3"]
    assert [rows["r2"][name] for name in exports.ANSWERS] == ["relabel", "1", "plainly"]
    assert rows["r0"]["text"] == reviewing.HOSTILE
    export(root, tmp_path / "out.json", "argilla")
    assert [record["id"] for record in json.loads((tmp_path / "out.json").read_text())] == ["r0", "r3"]


def test_an_argilla_record_has_what_from_json_reads(root: Path, tmp_path: Path) -> None:
    export(root, tmp_path / "out.json", "argilla")
    first = json.loads((tmp_path / "out.json").read_text())[0]
    assert first["fields"] == {"text": "never works"}
    assert first["suggestions"] == {"label": {"value": "1", "agent": "retune", "score": 0.91}}
    assert first["metadata"]["given"] == "5"


def test_a_label_studio_task_has_its_text_and_a_prediction(root: Path, tmp_path: Path) -> None:
    export(root, tmp_path / "out.json", "label-studio")
    first = json.loads((tmp_path / "out.json").read_text())[0]
    assert (first["data"]["text"], first["data"]["retune_id"], first["data"]["given"]) == ("never works", "r2", "5")
    result = {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["1"]}}
    assert first["predictions"] == [{"model_version": "retune", "result": [result], "score": 0.91}]


def argilla(task: dict[str, Any], *labels: str) -> dict[str, Any]:
    return task | {"responses": {"label": [{"value": label, "user_id": str(n)} for n, label in enumerate(labels)]}}


def argilla_with_status(task: dict[str, Any], *labels: str) -> dict[str, Any]:
    states = dict.fromkeys(labels, "submitted") | {"4": "discarded", "3": "draft"}
    return task | {"responses": {"label": [{"value": label, "status": state} for label, state in states.items()]}}


def argilla_flat(task: dict[str, Any], *labels: str) -> dict[str, Any]:
    flat = {"id": task["id"], "status": "completed", **task["fields"], **task["metadata"]}
    status = ["submitted"] * len(labels)
    return flat | {"label.responses": [*labels, "4", "3"], "label.responses.status": [*status, "discarded", "draft"]}


def label_studio(task: dict[str, Any], *labels: str) -> dict[str, Any]:
    result = task["predictions"][0]["result"][0]
    answers = [{"result": [{**result, "value": {"choices": [label]}}], "was_cancelled": False} for label in labels]
    other = {"result": [{**result, "from_name": "mood"}], "was_cancelled": False}
    return task | {"id": 7, "annotations": [{"result": [result], "was_cancelled": True}, *answers, other]}


def label_studio_short(task: dict[str, Any], *labels: str) -> list[dict[str, Any]]:
    return [{**task["data"], "id": 7, "annotation_id": 9, "annotator": 1, "label": label} for label in labels]


FORMS: dict[str, tuple[str, Callable[..., Any]]] = {
    "Argilla": ("argilla", argilla),
    "Argilla, with a status": ("argilla", argilla_with_status),
    "Argilla, flat": ("argilla", argilla_flat),
    "Label Studio": ("label-studio", label_studio),
    "Label Studio, JSON_MIN": ("label-studio", label_studio_short),
}


def json_lines(records: list[Any]) -> str:
    return "".join(f"{json.dumps(record)}\r\n\n" for record in records)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("write", [json.dumps, json_lines])
def test_what_an_annotation_tool_exports_is_understood(
    root: Path, tmp_path: Path, form: str, write: Callable[[Any], str]
) -> None:
    path = tmp_path / "out.json"
    file_format, answer = FORMS[form]
    export(root, path, file_format)
    first, second, third = json.loads(path.read_text())
    answered = [answer(first, "1"), answer(second, "1", "2"), answer(third)]
    flat = [record for part in answered for record in (part if isinstance(part, list) else [part])]
    path.write_text(write(flat))
    assert take(root, path) == 2
    assert reviewing.decided(root) == {"r2": ("relabel", "1"), "r0": ("unclear", "")}
    assert reviewing.corrections(root)[1].note == "different answers: 1, 2"


def test_the_csv_of_label_studio_is_understood(root: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(
        'annotation_id,id,label,retune_id,text\n1,7,1,r2,never works\n2,8,"{""choices"": [""2""]}",r0,\n'
    )
    assert take(root, tmp_path / "in.csv") == 2
    assert reviewing.decided(root) == {"r2": ("relabel", "1"), "r0": ("relabel", "2")}


@pytest.mark.parametrize("row_id", ["r2", "007"])
def test_a_workbook_comes_back_from_a_spreadsheet(tmp_path: Path, row_id: str) -> None:
    """Saved as xlsx, numbers are numbers, and so is an id that looks like one."""
    root = reviewing.create(tmp_path / "project", ids=["r0", "r1", row_id])
    row = reviewing.opened(root)[0].row(row_id)
    book = openpyxl.Workbook()
    book.active.append(["id", "text_hash", "text", "decision", "new_label", "note"])
    book.active.append([7 if row_id == "007" else row_id, row.text_hash, row.text, None, 1, "says\nso"])
    book.active.append(["r0", None, None, "keep", None, None])
    book.active.append(["r4", None, None, None, None, None])  # without an answer
    book.save(tmp_path / "in.xlsx")
    assert take(root, tmp_path / "in.xlsx") == 2
    assert reviewing.decided(root) == {row_id: ("relabel", "1"), "r0": ("keep", "")}
    assert reviewing.corrections(root)[0].note == "says so"


def test_an_old_workbook_is_refused_in_one_line(root: Path, tmp_path: Path) -> None:
    (tmp_path / "in.xls").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600))
    with pytest.raises(DataError, match="is an old workbook"):
        take(root, tmp_path / "in.xls")


def test_a_file_about_a_row_that_it_has_set_aside_changes_nothing(root: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(f"{HEADER}r2,,,set_aside,\nr0,,,keep,\n")
    assert take(root, tmp_path / "in.csv") == 2
    reviewing.download(root)  # by now r2 is no row
    assert take(root, tmp_path / "in.csv") == 0
    (tmp_path / "in.csv").write_text(f"{HEADER}r2,,,,1\nr0,,,unclear,\n")
    with pytest.raises(
        DataError,
        match=r"1 row that data/corrections\.csv sets aside \(to decide about them again.*: "
        r"'r2'",
    ):
        take(root, tmp_path / "in.csv")
    assert reviewing.decided(root) == {"r2": ("set_aside", ""), "r0": ("keep", "")}


@pytest.mark.parametrize(
    ("separator", "given", "expected"),
    [
        ("|", "pay | app", '["app", "pay"]'),
        ("|", "pay", '["pay"]'),
        (None, "pay", '["pay"]'),
        ("|", "[]", "[]"),
        ("|", "app, pay", None),
        (None, "app|pay", None),
        ("|", "['app', 'pay']", None),
    ],
)
def test_a_set_of_labels_is_given_as_the_source_has_it(
    tmp_path: Path, separator: str | None, given: str, expected: str | None
) -> None:
    root = reviewing.create(tmp_path / "project", labels=reviewing.SETS, target="label_set")
    params = root / "params.yaml"
    value = json.dumps(separator)
    params.write_text(params.read_text().replace("label_separator: null", f"label_separator: {value}"))
    (tmp_path / "in.csv").write_text(f'{HEADER}r1,,,,"{given}"\n')
    if expected is None:
        with pytest.raises(DataError, match="1 row with a label that no row has"):
            take(root, tmp_path / "in.csv")
    elif expected != "[]":
        assert take(root, tmp_path / "in.csv") == 1
        assert reviewing.decided(root) == {"r1": ("relabel", expected)}
    else:
        assert take(root, tmp_path / "in.csv") == 1
        assert reviewing.decided(root) == {"r1": ("keep", "")}  # its own


SET_VALUES = {"a list": '["app", "pay"]', "choices": '{"choices": ["app", "pay"]}', "one": "app"}


@pytest.mark.parametrize("value", SET_VALUES)
def test_sets_of_labels_come_from_tools(tmp_path: Path, value: str) -> None:
    root = reviewing.create(tmp_path / "project", labels=reviewing.SETS, target="label_set")
    record = {"annotation_id": 1, "retune_id": "r1", "label": SET_VALUES[value]}
    (tmp_path / "in.json").write_text(json.dumps([record]))
    assert take(root, tmp_path / "in.json") == 1
    assert reviewing.decided(root) == {"r1": ("relabel", '["app"]' if value == "one" else '["app", "pay"]')}


def test_numbers_come_from_tools(tmp_path: Path) -> None:
    root = reviewing.create(tmp_path / "project", labels=reviewing.NUMBERS, target="number")
    (tmp_path / "in.json").write_text(json.dumps([{"annotation_id": 1, "retune_id": "r1", "label": 12.50}]))
    assert take(root, tmp_path / "in.json") == 1
    assert reviewing.decided(root) == {"r1": ("relabel", "12.5")}


COMMAS = {  # a number as a program saves it, what separates the cells, the number
    "with semicolons": ("12,5", ";", "12.5"),
    "with semicolons, and three digits": ("1,000", ";", "1"),
    "with semicolons, and a point": ("12.5", ";", "12.5"),
    "with semicolons, and an exponent": ("1,5E+03", ";", "1500"),
    "with semicolons, and a sign": ("-0,25", ";", "-0.25"),
    "with tabs": ("42,1", "\t", "42.1"),
    "with tabs, in one or two ways": ("1,000", "\t", None),
    "with commas": ("42,1", ",", "42.1"),
    "with commas, in one or two ways": ("1,000", ",", None),
    "with semicolons, and thousands or three digits": ("1.000", ";", None),
    "with semicolons, and a sign before those": ("-12.500", ";", None),
    "with semicolons, and a zero before the point": ("0.125", ";", "0.125"),
    "with commas, and three digits after a point": ("1.000", ",", "1"),
    "with two signs": ("1.000,5", ";", None),
    "no number": ("many", ";", None),
}


def write_answer(path: Path, row: str, given: str, delimiter: str) -> None:
    """A file with a new label of one row, as a spreadsheet program saves it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([["id", "decision", "new_label"], [row, "", given]])


@pytest.mark.parametrize("others", [reviewing.NUMBERS, ["1000", "42.1", "12.5", "3"]], ids=["other", "the same"])
@pytest.mark.parametrize("case", COMMAS)
def test_a_number_with_a_comma_is_what_it_says_whatever_numbers_other_rows_have(
    tmp_path: Path, case: str, others: list[str]
) -> None:
    root = reviewing.create(tmp_path / "project", labels=["7", *others], target="number")
    given, delimiter, expected = COMMAS[case]
    write_answer(tmp_path / "in.csv", "r0", given, delimiter)
    if expected is None:
        with pytest.raises(DataError, match="1 row with a label that is not a plain number"):
            take(root, tmp_path / "in.csv")
    else:
        assert take(root, tmp_path / "in.csv") == 1
        assert reviewing.decided(root) == {"r0": ("relabel", expected)}


def test_a_class_with_a_comma_is_a_name(tmp_path: Path) -> None:
    root = reviewing.create(tmp_path / "project", labels=["1,000", "1", "1,000", "1"], target="classes")
    write_answer(tmp_path / "in.csv", "r1", "1,000", ";")
    assert take(root, tmp_path / "in.csv") == 1
    assert reviewing.decided(root) == {"r1": ("relabel", "1,000")}


@pytest.mark.parametrize("given", ["1,000", "1,0", "1"])
def test_a_comma_beside_semicolons_is_a_decimal_comma_though_the_class_without_it_is_there(
    tmp_path: Path, given: str
) -> None:
    root = reviewing.create(tmp_path / "project", labels=["1000", "1", "1000", "1"], target="classes")
    write_answer(tmp_path / "in.csv", "r0", given, ";")
    assert take(root, tmp_path / "in.csv") == 1
    assert reviewing.decided(root) == {"r0": ("relabel", "1")}


@pytest.mark.parametrize("target", ["classes", "ordered"])
@pytest.mark.parametrize(
    ("delimiter", "given", "expected"), [(";", "5,0", "5"), (";", "4,50", None), (",", "5,0", None)]
)
def test_a_class_that_is_a_number_may_have_a_decimal_comma_in_a_file_with_semicolons(
    tmp_path: Path, target: str, delimiter: str, given: str, expected: str | None
) -> None:
    root = reviewing.create(tmp_path / "project", labels=["1", "2", "3", "4", "5"], target=target)
    write_answer(tmp_path / "in.csv", "r1", given, delimiter)
    if expected is None:
        with pytest.raises(DataError, match="1 row with a label that no row has"):
            take(root, tmp_path / "in.csv")
    else:
        assert take(root, tmp_path / "in.csv") == 1
        assert reviewing.decided(root) == {"r1": ("relabel", expected)}


def test_corrections_that_a_program_saved_with_decimal_commas_are_written_with_points(tmp_path: Path) -> None:
    root = reviewing.create(tmp_path / "project", labels=reviewing.NUMBERS, target="number")
    data, decisions = reviewing.opened(root)
    decisions.decide(data.row("r1"), "relabel", "1.125", seen=None)
    path = root / "data/corrections.csv"
    path.write_text(path.read_text().replace(",", ";").replace(".", ","))
    rows = [data.row("r1")]
    assert list(decisions.of(rows)) == ["r1"]
    decisions.decide(data.row("r0"), "keep", seen=None)
    assert [(line.old_label, line.new_label) for line in reviewing.corrections(root)] == [("20.5", "1.125"), ("10", "")]


@pytest.mark.parametrize(("given", "expected"), [("App | PAY", '["app", "pay"]'), ("apps", None)])
def test_each_label_of_a_set_may_be_spelled_otherwise(tmp_path: Path, given: str, expected: str | None) -> None:
    """Also where no row has exactly this set."""
    root = reviewing.create(tmp_path / "project", labels=['["app"]', "[]", '["pay"]'], target="label_set")
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("label_separator: null", 'label_separator: "|"'))
    (tmp_path / "in.csv").write_text(f"{HEADER}r1,,,,{given}\n")
    if expected is None:
        with pytest.raises(DataError, match="1 row with a label that no row has"):
            take(root, tmp_path / "in.csv")
    else:
        assert take(root, tmp_path / "in.csv") == 1
        assert reviewing.decided(root) == {"r1": ("relabel", expected)}


HEADER = "id,text_hash,text,decision,new_label\n"
WRONG = {
    "unknown id": (
        HEADER + "r99,,,,1\n",
        "in: nothing is imported, because of 1 row with an id that no row has: 'r99'",
    ),
    "unknown label": (HEADER + "r2,,,,6\n", "1 row with a label that no row has: '6'"),
    "changed text by hash": (HEADER + "r2,00,,,1\n", "1 row whose text has changed since: 'r2'"),
    "changed text": (HEADER + "r2,,always works,,1\n", "1 row whose text has changed since: 'r2'"),
    "unknown decision": (
        HEADER + "r2,,,maybe,\n",
        "1 row with a decision other than relabel, keep, unclear, set_aside",
    ),
    "decided twice": (HEADER + "r2,,,,1\nr2,,,,2\n", "1 row with two different decisions: 'r2'"),
    "a new label beside keep": (HEADER + "r2,,,keep,1\n", "1 row with a new_label although the decision is keep: 'r2'"),
    "a new label beside unclear": (
        HEADER + "r2,,,unclear,1\n",
        "1 row with a new_label although the decision is unclear: 'r2'",
    ),
    "relabel alone": (HEADER + "r2,,,relabel,\n", "1 row with the decision relabel, and no new_label: 'r2'"),
    "several": (
        HEADER + "r88,,,,1\nr99,,,,1\nr3,,,,6\n",
        "2 rows with an id that no row has: 'r88', 'r99'; 1 row with a label",
    ),
    "fields": (HEADER + "r2,1\n", "line 3 has 2 fields, but the header has 5"),
    "columns": ("name,label\nr2,1\n", "has columns 'name', 'label'. Give the CSV of retune review --export"),
    "a quote": (HEADER + 'r2,,"open,,1\n', "is not CSV"),
    "broken JSON": ("[{", "is not JSON"),
    "JSON of another form": ("[1]", "is not a list of records"),
    "JSON of columns": ('{"id": {"0": "r0"}, "new_label": {"0": "1"}}', "as a list, in pandas with orient='records'"),
    "one record of JSON": ('{"a": 1}', "has columns 'a'"),
    "broken JSON lines": ('{"id": "r2"}\n{"id"\n', "line 2 is not JSON"),
    "JSON lines of another form": ('{"id": "r2"}\n3\n', "line 2 is not a record"),
    "JSON with other fields": ('[{"a": 1}]', "has columns 'a'"),
    "a list in a cell": ('[{"id": "r2", "label.responses": "[1]"}]', "Export the records of Argilla as JSON"),
}


@pytest.mark.parametrize("missing", ["id", "decision", "new_label"])
@pytest.mark.parametrize("how", ["renamed", "dropped"])
def test_answers_of_a_csv_whose_column_is_missing_are_not_passed_over(
    root: Path, tmp_path: Path, missing: str, how: str
) -> None:
    cells = {"id": ["id", "r2", "r0"], "decision": ["decision", "", "keep"], "new_label": ["new_label", "1", ""]}
    if how == "renamed":
        cells[missing][0] = "verdict"
    else:
        del cells[missing]
    (tmp_path / "in.csv").write_text("\n".join(map(",".join, zip(*cells.values(), strict=True))))
    with pytest.raises(DataError, match=rf"in\.csv has no column '{missing}'\. Call its columns id, decision"):
        take(root, tmp_path / "in.csv")
    assert reviewing.corrections(root) == []


def test_the_columns_of_a_csv_may_be_in_another_case_and_have_blanks(root: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("ID, Decision ,New label,Note\nr2,,1,so\nr0,keep,,\n")
    assert take(root, tmp_path / "in.csv") == 2
    assert reviewing.decided(root) == {"r2": ("relabel", "1"), "r0": ("keep", "")}
    assert reviewing.corrections(root)[0].note == "so"


DECISION_WORDS = {
    "keep": ["Keep", "KEEP ", "\u00a0keep"],
    "unclear": ["Unclear"],
    "set_aside": ["set aside", "Set aside", "SET-ASIDE", "set\u2013aside", "SetAside", "Set_Aside"],
    "relabel": ["Relabel", "Re-label", "re label"],
}


@pytest.mark.parametrize("decision", DECISION_WORDS)
def test_a_decision_may_be_spelled_as_people_and_programs_write_it(root: Path, tmp_path: Path, decision: str) -> None:
    label = "1" if decision == "relabel" else ""
    for word in DECISION_WORDS[decision]:
        (tmp_path / "in.csv").write_text(f"{HEADER}r2,,,{word},{label}\n", encoding="utf-8")
        take(root, tmp_path / "in.csv")
        assert reviewing.decided(root) == {"r2": (decision, label)}
        path = root / "data/corrections.csv"  # where people may edit it, too
        path.write_text(path.read_text(encoding="utf-8").replace(f",{decision},", f",{word},"), encoding="utf-8")
        assert reviewing.decided(root) == {"r2": (decision, label)}
        path.unlink()


NO_VALUES = ["NaN", "nan", "null", "None", "none", "NA", "<NA>", "N/A", "NULL"]


@pytest.mark.parametrize("word", NO_VALUES)
@pytest.mark.parametrize("decided", [False, True], ids=["some rows", "each row"])
def test_a_word_for_an_empty_cell_is_an_empty_cell(root: Path, tmp_path: Path, word: str, decided: bool) -> None:
    path = tmp_path / "out.csv"
    export(root, path, "csv")
    answers = {"r2": {"new_label": "1"}, "r0": {"decision": "keep"}, "r3": {"decision": "unclear"} if decided else {}}
    edit(path, lambda row: row.update(answers[row["id"]]))
    edit(path, lambda row: row.update({name: cell or word for name, cell in row.items()}))
    expected = {"r2": ("relabel", "1"), "r0": ("keep", "")} | ({"r3": ("unclear", "")} if decided else {})
    assert take(root, path) == len(expected)
    assert reviewing.decided(root) == expected
    assert {correction.note for correction in reviewing.corrections(root)} == {""}
    assert take(root, path) == 0


@pytest.mark.parametrize("word", NO_VALUES)
def test_a_label_that_is_a_word_for_an_empty_cell_is_a_label(tmp_path: Path, word: str) -> None:
    root = reviewing.create(tmp_path / "project", labels=[word, "a", "b", word], target="classes")
    (tmp_path / "in.csv").write_text(f"{HEADER}r1,,,,{word}\n")
    assert take(root, tmp_path / "in.csv") == 1
    assert reviewing.decided(root) == {"r1": ("relabel", word)}
    (tmp_path / "in.csv").write_text(f"{HEADER}r1,,,{word},{word}\nr2,,,keep,{word}\n")
    with pytest.raises(DataError, match="a new_label that the file also has for empty cells"):
        take(root, tmp_path / "in.csv")


@pytest.mark.parametrize("word", NO_VALUES)
def test_a_person_who_writes_none_for_a_label_is_not_passed_over(root: Path, tmp_path: Path, word: str) -> None:
    (tmp_path / "in.csv").write_text(f"{HEADER}r1,,,,{word}\nr2,,,,1\n")
    with pytest.raises(DataError, match="with a label that no row has"):
        take(root, tmp_path / "in.csv")


@pytest.mark.parametrize("count", [1, 2])
def test_decisions_may_be_json_lines(root: Path, tmp_path: Path, count: int) -> None:
    records = [{"id": "r2", "new_label": 1, "decision": None}, {"id": "r0", "decision": "keep", "new_label": ""}]
    (tmp_path / "in.jsonl").write_text(json_lines(records[:count]))
    assert take(root, tmp_path / "in.jsonl") == count
    assert len(reviewing.decided(root)) == count


def test_a_number_in_json_is_a_label_also_if_it_is_0(tmp_path: Path) -> None:
    root = reviewing.create(tmp_path / "project", labels=["1", "0", "1", "0"], target="classes")
    records = [{"id": "r0", "decision": None, "new_label": 0}, {"id": "r1", "decision": float("nan"), "new_label": 1}]
    (tmp_path / "in.json").write_text(json.dumps(records))
    assert take(root, tmp_path / "in.json") == 2
    assert reviewing.decided(root) == {"r0": ("relabel", "0"), "r1": ("relabel", "1")}


OTHER_NAMES = {
    "Label Studio": {"data": {"retune_id": "r2"}, "annotations": [{"result": [{"from_name": "mood", "value": {}}]}]},
    "Argilla": {"id": "r2", "fields": {}, "responses": {"mood": [{"value": "1"}]}},
}


@pytest.mark.parametrize("tool", OTHER_NAMES)
def test_answers_under_another_name_are_not_passed_over(root: Path, tmp_path: Path, tool: str) -> None:
    (tmp_path / "in.json").write_text(json.dumps([OTHER_NAMES[tool]]))
    with pytest.raises(DataError, match="has answers called 'mood', but none called label"):
        take(root, tmp_path / "in.json")


@pytest.mark.parametrize("what", WRONG)
def test_nothing_is_half_imported(root: Path, tmp_path: Path, what: str) -> None:
    content, message = WRONG[what]
    content = content.replace(HEADER, f"{HEADER}r0,,,keep,\n")  # a line that could be imported
    (tmp_path / "in").write_text(content)
    reviewing.opened(root)
    before = (root / "data/corrections.csv").read_bytes()
    with pytest.raises(DataError) as raised:
        take(root, tmp_path / "in")
    assert message in str(raised.value)
    assert (root / "data/corrections.csv").read_bytes() == before


@pytest.mark.parametrize("given", ["1.0", "01", "1 ", "\uff11"])
def test_a_label_in_the_spelling_of_a_program_is_the_label(root: Path, tmp_path: Path, given: str) -> None:
    (tmp_path / "in.csv").write_text(f"{HEADER}r2,,,,{given}\n", encoding="utf-8")
    assert take(root, tmp_path / "in.csv") == 1
    assert reviewing.decided(root) == {"r2": ("relabel", "1")}


@pytest.mark.parametrize("cell", ["7", "7.0", "007"])
def test_an_id_that_a_program_took_for_a_number_is_the_row_s_if_its_text_is(tmp_path: Path, cell: str) -> None:
    root = reviewing.create(tmp_path / "project", ids=["007", "08", "8"])
    (tmp_path / "in.csv").write_text(f"{HEADER}{cell},,{reviewing.HOSTILE_CELL},,1\n")
    assert take(root, tmp_path / "in.csv") == 1
    assert reviewing.decided(root) == {"007": ("relabel", "1")}
    for line in (f"{cell},,another text,,1", "8.0,,it works every day,,1", "7.0,,,,1"):
        (tmp_path / "in.csv").write_text(f"{HEADER}{line}\n")
        with pytest.raises(DataError, match="with an id that no row has|whose text has changed"):
            take(root, tmp_path / "in.csv")


def test_notes_come_back_from_a_file_that_is_safe_for_spreadsheets(root: Path, tmp_path: Path) -> None:
    data, decisions = reviewing.opened(root)
    decisions.decide(data.row("r2"), "relabel", "1", note="=1+1; -x", seen=None)
    export(root, tmp_path / "out.csv", "csv", safe=True)
    assert "'=1+1" in (tmp_path / "out.csv").read_text()
    assert take(root, tmp_path / "out.csv") == 0
    assert reviewing.corrections(root)[0].note == "=1+1; -x"


def test_keep_in_a_file_keeps_the_label_that_stands_there(root: Path, tmp_path: Path) -> None:
    data, decisions = reviewing.opened(root)
    decisions.decide(data.row("r2"), "relabel", "1", seen=None)
    reviewing.download(root)  # by now 1 is its label, and 5 that of its source
    (tmp_path / "in.csv").write_text(f"{HEADER}r2,,,keep,\n")
    assert take(root, tmp_path / "in.csv") == 0
    assert reviewing.decided(root) == {"r2": ("relabel", "1")}


def test_a_kept_source_label_stays_where_the_data_has_an_earlier_decision(root: Path, tmp_path: Path) -> None:
    data, decisions = reviewing.opened(root)
    decisions.decide(data.row("r2"), "relabel", "1", seen=None)
    reviewing.download(root)
    data, decisions = reviewing.opened(root)
    decisions.decide(data.row("r2"), "keep", seen=("relabel", "1"))
    export(root, tmp_path / "out.csv", "csv")
    assert take(root, tmp_path / "out.csv") == 0
    assert reviewing.decided(root) == {"r2": ("keep", "")}


def test_an_export_replaces_no_answers(root: Path, tmp_path: Path) -> None:
    export(root, tmp_path / "out.csv", "csv")
    before = (tmp_path / "out.csv").read_bytes()
    with pytest.raises(DataError, match=r"out\.csv exists and may hold answers"):
        export(root, tmp_path / "out.csv", "label-studio")
    assert (tmp_path / "out.csv").read_bytes() == before


def test_a_file_in_another_encoding_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes("id,decision,new_label\nr2,,café\nr3,,früh\n".encode("cp1252"))
    with pytest.raises(DataError, match="line 2 is not UTF-8. It looks like cp1252"):
        take(root, tmp_path / "in.csv")


OTHER_FORMS: list[dict[str, Any]] = [
    {"responses": [{"user_id": "u", "status": "submitted", "values": {"label": {"value": "1"}}}], "fields": {}},
    {"responses": "label", "fields": {}},
    {"responses": {"label": 3}, "fields": {}},
    {"responses": {"label": ["1"]}, "fields": {}},
    {"responses": {"label": [{"value": "1"}]}, "fields": {}, "metadata": [1]},
    {"label.responses": ["1"], "label.responses.status": 3},
    {"data": [], "annotations": [{"result": []}]},
    {"data": {"retune_id": "r2"}, "annotations": 3},
    {"data": {"retune_id": "r2"}, "annotations": ["label"]},
    {"data": {"retune_id": "r2"}, "annotations": [{"result": 3}]},
    {"data": {"retune_id": "r2"}, "annotations": [{"result": ["label"]}]},
    {"decision": "", "new_label": "", "responses": [3]},
]


@pytest.mark.parametrize("record", OTHER_FORMS)
def test_json_of_another_form_is_refused_in_one_line(root: Path, tmp_path: Path, record: dict[str, Any]) -> None:
    (tmp_path / "in.json").write_text(json.dumps([{"id": "r2", **record}]))
    with pytest.raises(DataError, match=r"in\.json has records of an unknown form\. Give the CSV"):
        take(root, tmp_path / "in.json")
    assert reviewing.corrections(root) == []


def test_a_label_of_brackets_alone_is_a_label_that_no_row_has(root: Path, tmp_path: Path) -> None:
    record = {"annotation_id": 1, "retune_id": "r2", "label": "[" * 9000}
    (tmp_path / "in.json").write_text(json.dumps([record]))
    with pytest.raises(DataError, match="with a label that no row has"):
        take(root, tmp_path / "in.json")


def test_a_missing_file_is_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.csv is missing"):
        take(root, tmp_path / "nothing.csv")
