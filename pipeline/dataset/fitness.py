"""Whether a column can be a field: the same checks for one that a person names, that was kept, and that is guessed."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.dataset.column import MOST_VALUES, Column
from pipeline.dataset.named import Chosen, names_of, of_lists
from pipeline.dataset.sample import ROWS, Sample
from stages.messages import examples, plain, short
from stages.reading.label_sets import NO, YES

FLAGS = YES | NO  # values of a column that is one label of a set
OPTIONS = {"text": "--text", "label": "--label", "id": "--id", "group": "--group", "text_pair": "--pair"}
# Fields that one column may be: all answers to a question can stay in one split, as in recipes/answers.yaml.
TOGETHER = ({"text", "group"}, {"text_pair", "group"})
FORMULAS = " Formulas without a saved value count as blank: open the file in a spreadsheet program and save it."


class Rules(NamedTuple):
    """What params.yaml allows in the rows.

    Attributes:
        repeated_ids: Rows with the id of an earlier one are set aside.
        broken_flags: Rows with another value than 0 and 1 in a column of a label are set aside.
        separated: A label is a set with a separator, so a blank one is a label too: none of the set.
    """

    repeated_ids: bool = False
    broken_flags: bool = False
    separated: bool = False


STRICT = Rules()


def rules_of(dataset: Mapping[str, Any], chosen: Mapping[str, Any]) -> Rules:
    """What is allowed in the rows.

    Args:
        dataset: The section download.dataset of params.yaml.
        chosen: What a person sets now, by full key.
    """
    checks = dataset.get("checks") or {}

    def sets_aside(check: str) -> bool:
        return bool(chosen.get(f"download.dataset.checks.{check}", checks.get(check)) == "set_aside")

    separator = chosen.get("download.dataset.label_separator", dataset.get("label_separator"))
    return Rules(sets_aside("duplicate_id"), sets_aside("malformed_row"), separator is not None)


def problem_of(
    sample: Sample, field: str, column: Chosen, taken: Mapping[str, Chosen], rules: Rules = STRICT
) -> str | None:
    """Why a column can't be a field, and what to do; None: it can.

    Args:
        sample: The file.
        field: text, label, id, group or text_pair.
        column: One that the file has; for the label also several.
        taken: The columns of other fields.
        rules: What is allowed in the rows.
    """
    names = names_of(sample, column)
    for other, columns in taken.items():
        shared = [name for name in names_of(sample, columns) if name in names]
        if shared and other != field and {field, other} not in TOGETHER:
            return _shared(shared[0], {field: column, other: columns})
    inside = [next((each for each in sample.columns if str(each.name) == name), None) for name in names]
    if isinstance(column, list):
        return next(filter(None, (_flag_problem(*pair, rules) for pair in zip(names, inside, strict=True))), None)
    if names and names[0] in sample.lists and field != "label":
        return of_lists(names[0], field)
    return content_problem(sample, field, inside[0], rules) if inside and inside[0] else None


def content_problem(sample: Sample, field: str, column: Column, rules: Rules = STRICT) -> str | None:
    """Why what stands in a column can't be a field, and what to do; None: it can, or not all rows were looked at."""
    name, other = short(str(column.name)), f"name another column: {OPTIONS[field]} COLUMN"
    all_seen = sample.rows < ROWS
    if not column.filled and all_seen:
        formulas = FORMULAS if sample.format == "excel" else ""
        return f"The column {name} is blank in all rows.{formulas} Fill it, or {other}."
    no_label = rules.separated and column.filled < sample.rows
    if field == "label" and len(column.values) == 1 and all_seen and not no_label:
        return (
            f"The column {name} has only one value, but a model needs two classes. Add rows of another class, or "
            f"{other}."
        )
    if field == "id" and column.filled < sample.rows:
        return f"The column {name} is blank in some rows, so it can't be the id. Fill it, or {other}, or --id none."
    if field == "id" and not rules.repeated_ids and not is_unique(sample, column):
        return f"The column {name} has a value twice, so it can't be the id. Correct it, or {other}, or --id none."
    return None


def is_unique(sample: Sample, column: Column) -> bool:
    """Whether each row has a value of its own, as far as values are told apart."""
    return column.filled == sample.rows and len(column.values) == min(sample.rows, MOST_VALUES)


def _shared(name: str, columns: Mapping[str, Chosen]) -> str:
    """Why a column can't be two fields."""
    first, second = (field for field in OPTIONS if field in columns)
    column, what = columns[first], f"the {first}"
    if isinstance(column, list):
        what = f"one of the labels ({examples(list(map(str, column)), show=plain)})"
    return (
        f"The column {short(name)} is {what}, so it can't be the {second} too. Name another column for one of them: "
        f"{OPTIONS[first]} COLUMN or {OPTIONS[second]} COLUMN."
    )


def _flag_problem(name: str, column: Column | None, rules: Rules) -> str | None:
    """Why a column can't be one label of a set."""
    if column is None:
        return f"The column {short(name)} holds lists, which are sets of labels already. Name it alone: --label COLUMN."
    if not column.filled:
        return f"The column {short(name)} is blank in all rows. Fill it, or leave it out of --label."
    odd = [value for value in column.values if value.lower() not in FLAGS]
    if odd and not (rules.broken_flags and len(odd) < len(column.values)):
        return (
            f"The column {short(name)} has the value {short(odd[0])}, but one of several labels needs 0 or 1, or true "
            "or false, in each row. Correct it, or leave it out of --label."
        )
    return None
