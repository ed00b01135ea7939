"""What each tool gives back of each kind of label: as retune has exported it, and as the tool writes its answers."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.review import exports
from pipeline.review.answers import read_answers
from pipeline.review.imports import check_answers
from stages.errors import DataError
from tests.pipeline.review import reviewing

Record = Mapping[str, Any]


class KindOfLabel(NamedTuple):
    """Rows of a kind, and how Label Studio writes its answers."""

    target: str
    labels: Sequence[str]  # of the rows; the first two are asked about
    pairs: bool
    control: str  # the key of Label Studio's values
    answers: Sequence[Any]  # for the first row, and two that differ for the second
    decided: Sequence[str]  # the same as stored


KINDS = {
    "classes": KindOfLabel("classes", ["a", "b", "c", "a"], False, "choices", ["b", "a", "c"], ["b", "a", "c"]),
    "pairs": KindOfLabel("classes", ["a", "b", "c", "a"], True, "choices", ["b", "a", "c"], ["b", "a", "c"]),
    "ordered": KindOfLabel("ordered", reviewing.STARS, False, "rating", [2, 3, 4], ["2", "3", "4"]),
    "number": KindOfLabel("number", reviewing.NUMBERS, False, "number", [42.1, 0, 7], ["42.1", "0", "7"]),
    "label set": KindOfLabel(
        "label_set",
        reviewing.SETS,
        False,
        "choices",
        [["app", "pay"], ["app"], []],
        ['["app", "pay"]', '["app"]', "[]"],
    ),
}


def create(root: Path, kind: KindOfLabel) -> Path:
    return reviewing.create(root, labels=kind.labels, target=kind.target, pairs=kind.pairs)


def exported(root: Path, file_format: str) -> list[Record]:
    data, _ = reviewing.opened(root)
    path = root / f"out{exports.FORMATS[file_format]}"
    exports.write(path, [data.row("r0"), data.row("r1")], {}, data, file_format)
    if file_format == "csv":
        return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    records: list[Record] = json.loads(path.read_text())
    return records


def take(root: Path, content: str) -> int:
    path = root / "in"
    path.write_text(content, encoding="utf-8")
    data, decisions = reviewing.opened(root)
    answers = read_answers(path, several=data.kind.choice == "several")
    return len(decisions.add(check_answers(answers, data, decisions.read(), name="in")).new)


def as_csv(records: Sequence[Record], delimiter: str = ",") -> str:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, dict.fromkeys(name for record in records for name in record), delimiter=delimiter)
    writer.writeheader()
    for record in records:
        cells = {name: json.dumps(cell) if isinstance(cell, list | dict) else cell for name, cell in record.items()}
        writer.writerow(cells)
    return file.getvalue()


def value(kind: KindOfLabel, answer: Any) -> Any:
    """The value of a result of Label Studio."""
    return {kind.control: [answer] if kind.control == "choices" and not isinstance(answer, list) else answer}


def annotation(kind: KindOfLabel, answer: Any) -> Record:
    """Without a choice, Label Studio submits no result."""
    result = {"from_name": "label", "to_name": "text", "type": kind.control, "value": value(kind, answer)}
    return {"result": [] if answer == [] else [result], "was_cancelled": False}


def label_studio(task: Record, kind: KindOfLabel, answers: Sequence[Any]) -> list[Record]:
    return [{**task, "id": 7, "annotations": [annotation(kind, answer) for answer in answers]}]


def label_studio_short(task: Record, kind: KindOfLabel, answers: Sequence[Any]) -> list[Record]:
    """As its converter shortens: one choice is a text, several are a record, and anything else is a list of records."""
    records = []
    for number, answer in enumerate(answers):
        whole = value(kind, answer)
        one = kind.control == "choices" and len(whole["choices"]) == 1
        label = whole["choices"][0] if one else whole if kind.control == "choices" else [whole]
        record = {**task["data"], "id": 7, "annotator": 1, "annotation_id": number + 9}
        records.append(record if answer == [] else {**record, "label": label})
    return records


def argilla(record: Record, kind: KindOfLabel, answers: Sequence[Any]) -> list[Record]:
    values = answers if kind.target == "label_set" else map(str, answers)
    responses = [{"value": answer, "user_id": str(number)} for number, answer in enumerate(values)]
    return [{**record, "responses": {"label": responses}}]


TOOLS: dict[str, tuple[str, Callable[..., list[Record]], Callable[..., str]]] = {
    "Label Studio": ("label-studio", label_studio, json.dumps),
    "Label Studio, JSON_MIN": ("label-studio", label_studio_short, json.dumps),
    "Label Studio, CSV": ("label-studio", label_studio_short, as_csv),
    "Argilla": ("argilla", argilla, json.dumps),
}


@pytest.mark.parametrize("of", KINDS)
@pytest.mark.parametrize("tool", TOOLS)
def test_each_kind_comes_back_from_each_tool(tmp_path: Path, of: str, tool: str) -> None:
    kind, (file_format, answer, write) = KINDS[of], TOOLS[tool]
    root = create(tmp_path / "project", kind)
    first, second = exported(root, file_format)
    records = [*answer(first, kind, kind.answers[:1]), *answer(second, kind, kind.answers[1:])]
    assert take(root, write(records)) == 2
    assert reviewing.decided(root) == {"r0": ("relabel", kind.decided[0]), "r1": ("unclear", "")}
    shown = reviewing.opened(root)[0].kind.shown
    assert reviewing.corrections(root)[1].note == f"different answers: {', '.join(map(shown, kind.decided[1:]))}"


@pytest.mark.parametrize("of", KINDS)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_each_kind_comes_back_from_a_spreadsheet(tmp_path: Path, of: str, delimiter: str) -> None:
    kind = KINDS[of]
    root = create(tmp_path / "project", kind)
    first, second = exported(root, "csv")
    new = kind.decided[0].replace(".", "," if delimiter == ";" else ".")
    rows = [{**first, "new_label": new}, {**second, "decision": "unclear"}]
    assert take(root, as_csv(rows, delimiter)) == 2
    assert reviewing.decided(root) == {"r0": ("relabel", kind.decided[0]), "r1": ("unclear", "")}


@pytest.mark.parametrize("of", KINDS)
@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool.startswith("Label")])
def test_who_submits_no_label_says_none_of_them_where_a_row_may_have_none(tmp_path: Path, of: str, tool: str) -> None:
    kind, (file_format, answer, write) = KINDS[of], TOOLS[tool]
    root = create(tmp_path / "project", kind)
    first, second = exported(root, file_format)
    records = [*answer(first, kind, [[]]), *answer(second, kind, kind.answers[1:2])]
    assert take(root, write(records)) == (2 if kind.target == "label_set" else 1)
    none = {"r0": ("relabel", "[]")} if kind.target == "label_set" else {}
    expected = ("keep", "") if kind.decided[1] == kind.labels[1] else ("relabel", kind.decided[1])
    assert reviewing.decided(root) == {**none, "r1": expected}


def test_a_task_that_was_skipped_or_not_yet_opened_says_nothing(tmp_path: Path) -> None:
    root = create(tmp_path / "project", KINDS["label set"])
    first, second = exported(root, "label-studio")
    skipped = {**first, "annotations": [{"result": [], "was_cancelled": True}]}
    assert take(root, json.dumps([skipped, {**second, "annotations": []}])) == 0
    short = [{**task["data"], "id": 7, "annotation_id": None} for task in (first, second)]
    assert take(root, json.dumps(short)) == 0
    assert take(root, as_csv(short)) == 0


@pytest.mark.parametrize("of", KINDS)
@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool.startswith("Label")])
def test_answers_under_another_name_are_not_none_of_the_labels(tmp_path: Path, of: str, tool: str) -> None:
    kind, (file_format, answer, write) = KINDS[of], TOOLS[tool]
    root = create(tmp_path / "project", kind)
    records = answer(exported(root, file_format)[0], kind, kind.answers[:1])
    content = write(records).replace('"from_name": "label"', '"from_name": "mood"')
    content = content.replace('"label": ', '"mood": ').replace("annotation_id,label", "annotation_id,mood")
    with pytest.raises(DataError, match="has answers called 'mood', but none called label"):
        take(root, content)
