"""The column of each field: every source of it is checked alike, and no column is two fields."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from pipeline.dataset.choice import Option, choose_columns, why_dropped
from pipeline.dataset.column import Column
from pipeline.dataset.columns import GUESSED
from pipeline.dataset.fitness import Rules, rules_of
from pipeline.dataset.named import Chosen, names_of
from pipeline.dataset.new_rows import kept_columns
from pipeline.dataset.sample import ROWS, Sample
from stages.errors import DataError

FIELDS = ("text", "label", "id", "group", "text_pair")
COLUMNS = {  # of the file: its name, and what stands in a row
    "text": lambda row: f"a text of its own {row}",
    "answer": lambda row: f"an answer of its own {row}",
    "label": lambda row: f"k{row % 2}",
    "stars": lambda row: f"{row % 5}",
    "id": str,
    "twice": lambda row: f"{row // 2}",
    "gaps": lambda row: str(row) if row else "",
    "author": lambda row: f"u{row // 4}",
    "same": lambda row: "same",
    "blank": lambda row: "",
    "some": lambda row: "app" if row % 2 else "",
    "app": lambda row: f"{row % 2}",
    "pay": lambda row: ("True", "false")[row % 2],
    "odd": lambda row: ("0", "1", "?")[row % 3],
    " padded ": lambda row: f"k{row % 3}",
}


def sample_of(*names: str, rows: int = 40, **more: Any) -> Sample:
    columns = []
    for name in names or COLUMNS:
        columns.append(Column(name))
        for row in range(rows):
            columns[-1].add(COLUMNS[name](row))
    return Sample("csv", columns=tuple(columns), rows=rows, lists=("tags",), **more)


SAMPLE = sample_of()


def options_of(**said: Option) -> dict[str, Option]:
    return {field: said.get(field) for field in FIELDS}


def answering(*answers: str) -> tuple[Any, Iterator[str], list[str | None]]:
    """What answers like a person, the answers that are left, and what was said before each question."""
    left, reasons = iter(answers), list[str | None]()

    def ask(field: str, default: str | None, why: str | None) -> str:
        reasons.append(why)
        return next(left) or default or ""

    return ask, left, reasons


WRONG: dict[str, tuple[str, Any, dict[str, str], str]] = {  # the field, its column, those of others, what is said
    "a column that is not there": ("text", "nope", {}, "There is no column nope for the text. The file has: text, an"),
    "lists": ("text", "tags", {}, "'tags' holds lists. Write one text per row"),
    "a blank text": ("text", "blank", {}, "'blank' is blank in all rows. Fill it, or name another column: --text COL"),
    "a blank label": ("label", "blank", {}, "'blank' is blank in all rows. Fill it, or name another column: --label"),
    "one label": ("label", "same", {}, "'same' has only one value, but a model needs two classes. Add rows of ano"),
    "a label and a blank": ("label", "some", {}, "'some' has only one value"),
    "an id that is not unique": (
        "id",
        "twice",
        {},
        "'twice' has a value twice, so it can't be the id.* or --id none",
    ),
    "an id with gaps": ("id", "gaps", {}, "'gaps' is blank in some rows, so it can't be the id"),
    "a blank group": ("group", "blank", {}, "'blank' is blank in all rows. Fill it, or name another column: --group"),
    "the text again": ("label", "text", {"text": "text"}, "'text' is the text, so it can't be the label too. Name an"),
    "the label again": ("group", "stars", {"label": "stars"}, "'stars' is the label, so it can't be the group too"),
    "the id again": ("group", "id", {"id": "id"}, "'id' is the id, so it can't be the group too. .*: --id COLUMN or"),
    "a label of several": (
        "group",
        "pay",
        {"label": "app,pay"},
        r"'pay' is one of the labels \(app, pay\), so it can't be the group too. Name another column for one of them",
    ),
    "the pair again": ("text", "answer", {"text_pair": "answer"}, "'answer' is the text, so it can't be the text_pair"),
    "texts as flags": (
        "label",
        ["app", "answer"],
        {},
        "'answer' has the value 'an answer of its own 0', but one of",
    ),
    "other flags": ("label", ["app", "odd"], {}, r"'odd' has the value '\?', but one of several labels needs 0 or 1"),
    "blank flags": ("label", ["app", "blank"], {}, "'blank' is blank in all rows. Fill it, or leave it out of --label"),
    "lists as flags": ("label", ["app", "tags"], {}, "'tags' holds lists, which are sets of labels already. Name it"),
}
FINE: dict[str, tuple[str, Any, dict[str, str], Rules]] = {  # the field, its column, those of others, what is allowed
    "a question that keeps its answers together": ("group", "text", {"text": "text"}, Rules()),
    "an answer that does": ("group", "answer", {"text_pair": "answer"}, Rules()),
    "0 and 1, true and false": ("label", ["app", "pay"], {}, Rules()),
    "lists alone": ("label", "tags", {}, Rules()),
    "ids that are set aside": ("id", "twice", {}, Rules(repeated_ids=True)),
    "flags that are set aside": ("label", ["app", "odd"], {}, Rules(broken_flags=True)),
    "a set with a separator, or none": ("label", "some", {}, Rules(separated=True)),
    "a number": ("label", "id", {}, Rules()),
    "blanks around the name": ("label", " padded ", {}, Rules()),
}


def text_of(column: Any) -> str:
    return ",".join(column) if isinstance(column, list) else column


@pytest.mark.parametrize("case", WRONG)
def test_what_a_person_says_and_is_wrong_is_refused(case: str) -> None:
    field, column, others, message = WRONG[case]
    with pytest.raises(DataError, match=message):
        choose_columns(SAMPLE, options_of(**{**others, field: column}), {})


@pytest.mark.parametrize("case", WRONG)
def test_what_a_person_answers_and_is_wrong_is_asked_again(case: str) -> None:
    field, column, others, message = WRONG[case]
    fields = [each for each in GUESSED if each not in others]
    answers = [answer for each in fields for answer in ([text_of(column), ""] if each == field else [""])]
    ask, left, reasons = answering(*answers)
    chosen = choose_columns(SAMPLE, options_of(**others), {}, ask)
    assert list(left) == [], "each field once, and this one again"
    (why,) = filter(None, reasons)
    with pytest.raises(DataError, match=message):
        raise DataError(why)
    assert chosen[field] == choose_columns(SAMPLE, options_of(**others), {})[field], "the guess"


@pytest.mark.parametrize("case", WRONG)
def test_what_was_kept_and_is_wrong_is_refused_if_needed_and_else_dropped(case: str) -> None:
    field, column, others, message = WRONG[case]
    kept = kept_columns(SAMPLE, {"columns": {"slices": [], field: column}})
    if "not there" in case:
        assert kept == {}
        return
    if field in ("text", "label"):
        with pytest.raises(DataError, match=message):
            choose_columns(SAMPLE, options_of(**others), kept)
        return
    chosen = choose_columns(SAMPLE, options_of(**others), kept)
    assert chosen[field] == choose_columns(SAMPLE, options_of(**others), {})[field], "the guess"
    with pytest.raises(DataError, match=message):
        raise DataError(why_dropped(SAMPLE, kept, chosen)[field])


@pytest.mark.parametrize("case", WRONG)
def test_no_guess_is_wrong(case: str) -> None:
    """The names of the columns make them likely; what is in them, or an option, forbids them."""
    field, column, others, _ = WRONG[case]
    chosen = choose_columns(SAMPLE, options_of(**others), {})
    assert names_of(SAMPLE, chosen[field]) != names_of(SAMPLE, column)
    no_field_twice(chosen)


@pytest.mark.parametrize("source", ["option", "answer", "kept"])
@pytest.mark.parametrize("case", FINE)
def test_what_is_right_is_taken_from_every_source(case: str, source: str) -> None:
    field, column, others, rules = FINE[case]
    kept = kept_columns(SAMPLE, {"columns": {field: column}}) if source == "kept" else {}
    options = options_of(**others, **({field: column} if source == "option" else {}))
    answers = [text_of(column) if each == field else "" for each in GUESSED if each not in others]
    chosen = choose_columns(SAMPLE, options, kept, answering(*answers)[0] if source == "answer" else None, rules)
    assert chosen[field] == column
    assert why_dropped(SAMPLE, kept, chosen, rules) == {}


def no_field_twice(chosen: Mapping[str, Chosen]) -> None:
    names = [name for column in chosen.values() for name in names_of(SAMPLE, column)]
    assert len(names) == len(set(names)), chosen


@pytest.mark.parametrize("first", FIELDS)
@pytest.mark.parametrize("second", FIELDS)
@pytest.mark.parametrize("how", ["options", "option, kept", "option, answer", "kept", "answers"])
def test_no_column_is_two_fields(first: str, second: str, how: str) -> None:
    """Whichever two sources say so; a group alone may be a text."""
    if first == second or {first, second} in ({"text", "group"}, {"text_pair", "group"}):
        return
    said = {"options": (first, second), "option, kept": (first,), "option, answer": (first,)}.get(how, ())
    kept = {"option, kept": {second: "id"}, "kept": {first: "id", second: "id"}}.get(how, {})
    asks = how.endswith(("answer", "answers"))
    answers = dict.fromkeys({"option, answer": (second,), "answers": (first, second)}.get(how, ()), "id")
    used = set[str]()

    def ask(field: str, default: str | None, why: str | None) -> str:
        return default or "none" if field in used or used.add(field) else answers.get(field) or default or "none"

    needed = {"text", "label"}
    refused = {"options": True, "option, kept": second in needed, "kept": {first, second} == needed}.get(how, False)
    with pytest.raises(DataError, match="'id' is the") if refused else contextlib.nullcontext():
        no_field_twice(choose_columns(SAMPLE, options_of(**dict.fromkeys(said, "id")), kept, ask if asks else None))


def test_a_source_wins_over_those_after_it() -> None:
    """An option, an answer, a kept column, a guess."""
    kept: dict[str, Chosen] = {"label": "stars", "id": None, "group": "twice"}
    ask = answering("answer", "", "id", "")[0]
    assert choose_columns(SAMPLE, options_of(group="app"), kept, ask) == {
        "text": "answer",
        "label": "stars",
        "id": "id",
        "group": "app",
        "text_pair": None,
    }
    assert choose_columns(SAMPLE, options_of(), kept)["id"] is None, "a person said that there is none"
    assert choose_columns(SAMPLE, options_of(), {})["id"] == "id"


def test_a_kept_label_that_is_wrong_is_asked_for_with_the_guess() -> None:
    ask, _, reasons = answering("", "", "", "")
    assert choose_columns(SAMPLE, options_of(), {"label": "same"}, ask)["label"] == "label"
    assert "'same' has only one value" in str(reasons[1])


@pytest.mark.parametrize("rows", [ROWS - 1, ROWS])
def test_rows_that_were_not_looked_at_may_have_values(rows: int) -> None:
    """A file that is sorted by label has one in its first rows."""
    names = {"label": "same", "group": "blank"}
    columns = tuple(Column(name, filled=rows * (name != "blank"), values={"x": None}) for name in ("same", "blank"))
    sample = Sample("csv", columns=(*sample_of("text").columns, *columns), rows=rows)
    if rows < ROWS:
        with pytest.raises(DataError, match="'same' has only one value"):
            choose_columns(sample, options_of(**names), {})
    else:
        assert choose_columns(sample, options_of(text="text", **names), {})["label"] == "same"


@pytest.mark.parametrize("field", ["text", "label", "id", "group", "text_pair"])
@pytest.mark.parametrize(("said", "name"), [(" a", " a"), ("a", "a"), ("b", " b"), (" b ", " b"), ("\ufeffc", "c")])
def test_an_exact_name_wins_over_one_without_blanks(field: str, said: str, name: str) -> None:
    """As at the download stage."""
    columns = []
    for number, header in enumerate(("text", "label", " a", "a", " b", "c")):
        columns.append(Column(header))
        for row in range(9):
            columns[-1].add(f"a long enough text {number} {row if number != 1 else row % 2}")
    sample = Sample("csv", columns=tuple(columns), rows=9)
    fixed = {key: value for key, value in {"text": "text", "label": "label"}.items() if key != field}
    if field == "text":
        fixed["label"] = "label"
    assert choose_columns(sample, options_of(**fixed, **{field: said}), {})[field] == name


def test_what_is_allowed_is_read_from_params_and_overrides() -> None:
    dataset = {"checks": {"duplicate_id": "set_aside", "malformed_row": "fail"}, "label_separator": None}
    assert rules_of(dataset, {}) == Rules(repeated_ids=True)
    over = {"download.dataset.checks.malformed_row": "set_aside", "download.dataset.label_separator": "|"}
    assert rules_of(json.loads(json.dumps(dataset)), over) == Rules(True, True, True)
    assert rules_of({}, {}) == Rules()
