"""Each rule with each of its policies; rows in are rows used and rows set aside, always."""

import csv
import logging

import pytest

from stages.download.checks.rules import RULES, Problems, SourceRow
from stages.errors import DataError
from tests.stages.download.checks.cases import CASES, UNUSABLE

OTHERS = {
    "duplicate_text": "warn",
    "conflicting_labels": "warn",
    "near_duplicate": "warn",
    "control_characters": "warn",
}


def test_every_rule_has_a_case():
    assert set(RULES) - set(CASES) == {"missing_id", "unseen_label"}  # see test_dataset.py and test_unseen_labels.py


@pytest.mark.parametrize("rule", CASES)
def test_fail(read, rule):
    content, settings, _, message = CASES[rule]
    with pytest.raises(DataError, match=message) as caught:
        read(content, policies={rule: "fail"}, **settings)
    assert f"download.dataset.checks.{rule}: set_aside" in str(caught.value)


@pytest.mark.parametrize("rule", CASES)
def test_set_aside(read, rule):
    content, settings, rows, _ = CASES[rule]
    result = read(content, policies={rule: "set_aside"}, **settings)
    assert [line.split(",")[:3] for line in result.set_aside.splitlines()[1:]] == [
        ["data/rows.csv", str(row), rule] for row in rows
    ]
    assert result.stats["set_aside"] == {rule: len(rows)}
    assert result.stats["rows_in"] == result.stats["rows_used"] + len(rows)
    assert result.table.num_rows == result.stats["rows_used"]
    assert result.stats["warnings"] == {}


@pytest.mark.parametrize("rule", [rule for rule in CASES if rule not in UNUSABLE])
def test_warn(read, rule, caplog):
    caplog.set_level(logging.WARNING)
    content, settings, rows, _ = CASES[rule]
    result = read(content, policies={rule: "warn"}, **settings)
    assert result.stats["warnings"][rule] == len(rows)
    assert result.stats["set_aside"] == {}
    assert result.stats["rows_used"] == result.stats["rows_in"] == result.table.num_rows
    assert f"data/rows.csv: {len(rows)} row{'s' * (len(rows) > 1)}: {RULES[rule].problem} (row {rows[0]}" in caplog.text


def test_broken_bytes_that_are_only_warned_of_are_shown_as_such(read):
    result = read(b"text,label\nwhat?\xff,x\nb,y\n", policies={"broken_encoding": "warn"})
    assert result.column("text") == ["what?\ufffd", "b"]
    result = read(b"text,label\na,x\xff\nb,y\n", policies={"broken_encoding": "warn"})
    assert result.column("label") == ["x\ufffd", "y"]


def test_set_aside_texts_can_be_written_whatever_they_are(read):
    result = read(b"text,label\na\xff,x\nb,y\nc,x\n", policies={"broken_encoding": "set_aside"})
    assert "data/rows.csv,2,broken_encoding,,a\\udcff" in result.set_aside


def test_a_second_text_that_is_empty_stays_a_text(read):
    columns = {"text": "text", "text_pair": "pair", "label": "label"}
    content = b'{"text": "a", "label": "x"}\n{"text": "b", "pair": "c", "label": "y"}\n'
    result = read(content, file_format="jsonl", columns=columns, policies={"empty_text": "warn"})
    assert result.column("text_pair") == ["", "c"]
    assert result.stats["warnings"] == {"empty_text": 1}


def test_one_row_with_several_problems_is_set_aside_once(read):
    policies = dict.fromkeys(["empty_text", "missing_label", "broken_encoding"], "set_aside")
    result = read(b"text,label\n,\na,x\n\xff,\nb,y\n", policies=policies)
    assert result.stats["set_aside"] == {"broken_encoding": 1, "empty_text": 1}
    assert result.stats["rows_in"] == 4 == result.stats["rows_used"] + 2


def test_every_problem_of_a_row_that_fails_is_told(read):
    with pytest.raises(DataError, match=r"row 2: the text is empty\..* row 2: the label is empty\."):
        read(b"text,label\n,\na,x\nb,y\n")


def test_a_row_in_conflict_is_not_a_duplicate_as_well(read):
    content = b"text,label\na,x\na,y\na,y\nb,y\nc,x\n"
    result = read(content, policies={"conflicting_labels": "set_aside", "duplicate_text": "set_aside"})
    assert result.stats["set_aside"] == {"conflicting_labels": 3}
    assert result.column("text") == ["b", "c"]


def test_a_label_can_become_rare_by_what_is_set_aside(read):
    content = b"text,label\na,x\nb,x\nc,y\nc,y\nd,z\ne,z\n"
    result = read(content, policies={"duplicate_text": "set_aside", "rare_label": "set_aside"}, min_rows_per_label=2)
    assert result.stats["set_aside"] == {"duplicate_text": 1, "rare_label": 1}
    assert result.labels == ["x", "z"]


def test_ids_of_rows_set_aside_are_those_they_would_have(read):
    ids = read(b"text,label\na,x\nb,y\na,x\n").column("id")
    result = read(b"text,label\na,x\nb,y\na,x\n", policies={"duplicate_text": "set_aside"})
    assert result.set_aside.splitlines()[1] == f"data/rows.csv,4,duplicate_text,{ids[2]},a"


def test_what_fails_is_told_with_file_and_row(read):
    files = {"one.csv": b"text,label\n,x\nb,y\n", "two.csv": b"text,label\nc,x\nd,\n"}
    message = r"data/one.csv row 2: the text is empty\..* data/two.csv row 3: the label is empty\."
    with pytest.raises(DataError, match=message):
        read(files)


def test_rows_set_aside_are_safe_to_open_in_a_spreadsheet(tmp_path):
    with (tmp_path / "set_aside.csv").open("w", encoding="utf-8", newline="") as file:
        problems = Problems({"empty_text": "set_aside"}, file)
        problems.add("empty_text", SourceRow("=a.csv", 3, "-x", "\t=cmd|' /C calc'!A0"))
        problems.add("empty_text", SourceRow("a.csv", 4, "-5", "red \x1b[31m\u202e \udcff"))
    rows = list(csv.reader((tmp_path / "set_aside.csv").open(encoding="utf-8", newline="")))
    assert rows[1:] == [
        ["'=a.csv", "3", "empty_text", "'-x", "'\t'=cmd|' /C calc'!A0"],
        ["a.csv", "4", "empty_text", "-5", "red �[31m� \\udcff"],
    ]
