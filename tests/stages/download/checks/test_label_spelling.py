"""Labels that differ only in their spelling: named, joined or refused; what a person keeps apart stays apart."""

import logging
from typing import Any

import pytest

from stages.errors import DataError
from stages.spelling_key import spelling_key

ALIKE = {
    "case": ["ham", "Ham", "HAM", "hAm"],
    "truth": ["true", "True", "TRUE"],
    "width": ["ham", "ｈａｍ"],
    "blanks": ["not spam", "not  spam", "not\tspam", "not\u00a0spam", " not spam "],
    "invisible characters": ["ham", "ham\u200b", "\ufeffham", "h\u00adam", "ham\u2060"],
    "Unicode form": ["caf\u00e9", "cafe\u0301"],
    "sharp s": ["STRASSE", "straße"],
    "whole numbers": ["1", "1.0", "01", "1e0", "+1", "1.", "1.00", "10e-1", "0.1e1", "1E0", "１"],
    "zeros": ["0", "0.0", "-0", "00", "0e5", ".0"],
    "fractions": ["0.5", ".5", "5e-1", "0.50"],
    "negative": ["-1", "-1.0", "-01"],
    "large": ["1000", "1e3", "1000.0"],
    "thousands": ["1000", "1,000", "1 000", "1\u00a0000", "1\u202f000", "1'000", "1\u2019000", "1_000", "1,000.0"],
    "millions": ["1234567", "1,234,567", "1.234.567", "1 234 567"],
    "thousands and a fraction": ["1234.5", "1,234.5", "1.234,5", "1 234,5"],
    "decimal comma": ["1.5", "1,5"],
    "per cent": ["5%", "5 %", "5\u00a0%", "5.0 %", "05%"],
    "money": ["$5", "$ 5", "$5.00"],
    "money behind": ["5\u20ac", "5 \u20ac", "5.0\u202f\u20ac"],
    "degrees": ["20\u00b0C", "20 \u00b0C", "20\u2103"],
    "hyphens": ["on-topic", "on\u2011topic", "on\u2010topic", "on\u2013topic", "on\u2212topic", "on\uff0dtopic"],
    "dashes": ["a - b", "a \u2013 b", "a\u2014b", "a-b", "a\u00a0\u2014\u00a0b", "a\ufe58b"],
    "minus signs": ["-1", "\u22121", "\u20131", "\uff0d1", "\ufe631"],
    "a dash alone": ["-", "\u2013", "\u2014", "\u2212"],
    "single quotes": [
        "don't",
        "don\u2019t",
        "don\u2018t",
        "don\u02bct",
        "don\u00b4t",
        "don`t",
        "don\uff07t",
        "don\u2032t",
    ],
    "double quotes": ['"a" b', "\u201ca\u201d b", "\u201ea\u201c b", "\u00aba\u00bb b"],
    "dots": ["etc...", "etc\u2026"],
    "slashes": ["a/b", "a / b", "a\u2044b", "a/ b"],
    "and": ["r&d", "R & D"],
    "lists": ["a,b", "a, b"],
}
READ = ["case", "width", "blanks", "Unicode form", "whole numbers", "thousands", "per cent", "minus signs"]  # kinds
APART = [
    ["ham", "spam"],
    ["1", "-1"],
    ["1", "10", "0.1", "11"],
    ["5", "5 stars"],
    ["a b", "ab"],
    ["e", "e5", ".", "+", "1e"],
    ["not-spam", "not spam", "not_spam"],
    ["1,5", "15", "5"],
    ["1,000", "1", "1,0"],
    ["1,000", "1.000"],
    ["0,123", "123"],
    ["1,20", "1,2", "120"],
    ["1,2,3", "123"],
    ["1000,1", "10001"],
    ["c", "c++", "c#", "c+", "c-", "c--"],
    ["a", "a+", "a-", "a*", "a'"],
    ["+1", "-1"],
    ["\u22121", "1"],
    ["5%", "5", "0.05", "5\u2030", "%5"],
    ["$5", "\u20ac5", "5"],
    ["1-5", "15", "1 5", "1/5", "5-1"],
    ["-", "", "--", "+"],
    ["cant", "can't"],
    ["email", "e-mail"],
    ["spam", "sp\u0430m"],  # a letter of another alphabet
    ["a", "\u03b1"],
    ["<5", ">5", "5", "=5"],
    ["(a)", "a"],
    ["12345678901234567890123456789012345678901", "12345678901234567890123456789012345678901.0"],
]


def rows(*labels: str) -> bytes:
    cells = [label.replace('"', '""') for label in labels]
    return b"text,label\n" + b"".join(f'text {n} of it,"{cell}"\n'.encode() for n, cell in enumerate(cells))


@pytest.mark.parametrize("kind", ALIKE)
def test_spellings_of_one_label_have_one_key(kind: str) -> None:
    assert len({spelling_key(label) for label in ALIKE[kind]}) == 1


@pytest.mark.parametrize("labels", APART)
def test_different_labels_have_different_keys(labels: list[str]) -> None:
    assert len({spelling_key(label) for label in labels}) == len(labels)


@pytest.mark.parametrize("policy", ["warn", "merge"])
def test_labels_that_look_alike_are_shown_by_their_characters(read: Any, policy: str, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    read(rows("caf\u00e9", "cafe\u0301", "caf\u00e9", "x", "x"), policies={"label_spelling": policy})
    assert r"caf\xe9" in caplog.text
    assert r"cafe\u0301" in caplog.text


@pytest.mark.parametrize("kind", READ)
def test_merge_joins_them_under_the_most_frequent_spelling(read: Any, kind: str, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    first, second = list(dict.fromkeys(label.strip() for label in ALIKE[kind]))[:2]
    result = read(rows(second, first, first, "other", "other"), policies={"label_spelling": "merge"})
    assert set(result.column("label")) == {first, "other"}
    assert result.stats["labels"] == {label: {first: 3, "other": 2}[label] for label in result.labels}
    assert result.stats["spellings"] == {first: {first: 2, second: 1}}
    assert len([line for line in caplog.messages if "label_spelling: merge" in line]) == 1
    assert "label_spelling" not in result.stats["warnings"]


def test_of_equally_frequent_spellings_the_first_one_stays(read: Any) -> None:
    result = read(rows("Ham", "ham", "x", "x"), policies={"label_spelling": "merge"})
    assert result.labels == ["Ham", "x"]


@pytest.mark.parametrize("kind", READ)
def test_a_warning_names_them_with_rows_and_leaves_them(read: Any, kind: str, caplog: Any) -> None:
    first, second = list(dict.fromkeys(label.strip() for label in ALIKE[kind]))[:2]
    result = read(rows(first, first, second, "other"))
    assert len(result.labels) == 3
    (warning,) = [line for line in caplog.messages if "only in their spelling" in line]
    shown = ascii(second) if kind in ("Unicode form", "minus signs") else repr(second)
    assert f"(2 rows, the first: data/rows.csv row 2) and {shown} (1 row, the first: data/rows.csv row 4)" in warning
    assert "label_spelling: merge" in warning
    assert result.stats["warnings"]["label_spelling"] == 1


def test_fail_names_all_groups_and_what_to_do(read: Any) -> None:
    content = rows("Spam", "ham", "spam", "Ham", "HAM", "ham")
    with pytest.raises(DataError) as error:
        read(content, policies={"label_spelling": "fail"})
    for part in (
        "'ham' (2 rows",
        "'Ham' (1 row",
        "'HAM' (1 row",
        "'Spam' (1 row",
        "'spam' (1 row",
        "label_spelling: merge",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize("policy", ["warn", "fail", "merge"])
def test_whole_numbers_as_floats_are_named_with_their_cause(read: Any, policy: str, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    content = {"train.csv": rows("0.0", "1.0", "0.0", "1.0"), "test.csv": rows("0", "1")}
    files = [{"source": "data/train.csv"}, {"source": "data/test.csv", "split": "test"}]
    messages = caplog.messages
    try:
        result = read(content, files=files, policies={"label_spelling": policy, "unseen_label": "warn"})
        assert result.labels == (["0.0", "1.0"] if policy == "merge" else ["0", "0.0", "1", "1.0"])
        messages = caplog.messages
    except DataError as error:
        messages = [str(error)]
    assert any("pandas writes a column of whole numbers as 0.0, 1.0" in line for line in messages)


def test_other_spellings_are_not_put_down_to_pandas(read: Any, caplog: Any) -> None:
    read(rows("0.5", ".5", "ham", "Ham"))
    assert "pandas" not in caplog.text


@pytest.mark.parametrize("policy", ["warn", "fail", "merge"])
@pytest.mark.parametrize(
    ("settings", "labels"),
    [
        ({"labels": {"Ham": "sure ham", "ham": "ham", "x": "x"}}, ["ham", "sure ham", "x"]),
        ({"labels": {"Ham": "Spam", "ham": "spam", "x": "x"}}, ["Spam", "spam", "x"]),
        ({"label_order": ["x", "Ham", "ham"]}, ["x", "Ham", "ham"]),
    ],
)
def test_what_a_person_keeps_apart_stays_apart(
    read: Any, policy: str, settings: dict[str, Any], labels: list[str], caplog: Any
) -> None:
    result = read(rows("Ham", "ham", "x", "x"), policies={"label_spelling": policy}, **settings)
    assert sorted(result.labels) == sorted(labels)
    assert "spelling" not in caplog.text
    assert result.stats["spellings"] == {}


@pytest.mark.parametrize("labels", [{"0": "ham", "1": "spam"}, {"0": "ham", "00": "ham", "1": "spam"}])
def test_merge_finds_a_value_of_labels_in_another_spelling(read: Any, labels: dict[str, str], caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    result = read(rows("0.0", "1", "0", "01"), labels=labels, policies={"label_spelling": "merge"})
    assert result.column("label") == ["ham", "spam", "ham", "spam"]
    assert result.stats["spellings"] == {"ham": {"0.0": 1}, "spam": {"01": 1}}
    assert len([line for line in caplog.messages if "label_spelling: merge" in line]) == 1


@pytest.mark.parametrize("policy", ["warn", "fail"])
def test_without_merge_a_value_in_another_spelling_is_unknown_and_the_message_says_why(read: Any, policy: str) -> None:
    with pytest.raises(
        DataError, match=r"row 2 \(0.0; did you mean '0'\?\).* merge takes '0.0' for '0'. pandas writes"
    ):
        read(rows("0.0", "1", "0"), labels={"0": "ham", "1": "spam"}, policies={"label_spelling": policy})


def test_a_value_that_stands_for_two_names_is_unknown(read: Any) -> None:
    with pytest.raises(DataError, match=r"row 4 \(HAM\): the label is not in"):
        read(rows("ham", "Ham", "HAM"), labels={"ham": "a", "Ham": "b"}, policies={"label_spelling": "merge"})


def test_the_label_of_a_file_is_a_spelling_too(read: Any) -> None:
    files = [{"source": "data/a.csv", "label": "Ham"}, {"source": "data/b.csv"}]
    content = {"a.csv": b"text\none\n", "b.csv": rows("ham", "ham", "spam")}
    assert read(content, files=files, policies={"label_spelling": "merge"}).labels == ["ham", "spam"]


@pytest.mark.parametrize("order", [["SPAM", "HAM"], ["spam", "Ham"], ["spam", "ham"]])
def test_the_spelling_of_label_order_wins(read: Any, order: list[str]) -> None:
    result = read(rows("ham", "ham", "Ham", "spam"), label_order=order, policies={"label_spelling": "merge"})
    assert result.labels == order


def test_equal_texts_with_two_spellings_are_no_conflict_once_joined(read: Any) -> None:
    content = b"text,label\na,ham\na,Ham\nb,x\n"
    assert "conflicting_labels" in read(content).stats["warnings"]
    assert "conflicting_labels" not in read(content, policies={"label_spelling": "merge"}).stats["warnings"]


def test_spellings_count_together_towards_the_least_rows(read: Any) -> None:
    settings = {"policies": {"label_spelling": "merge"}, "min_rows_per_label": 2}
    assert read(rows("ham", "Ham", "x", "x"), **settings).stats["labels"] == {"ham": 2, "x": 2}
