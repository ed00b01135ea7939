"""The column of each field: as an option says, else a person answers, else it was before, else it is guessed."""

from collections.abc import Callable, Mapping, Sequence

from pipeline.dataset.columns import GUESSED, guess_columns, why_none
from pipeline.dataset.fitness import STRICT, Rules, problem_of
from pipeline.dataset.named import Chosen, columns_named, names_of, show_columns
from pipeline.dataset.sample import Sample
from pipeline.dataset.sheets import other_sheet
from stages.errors import DataError

NONE = "none"  # what a person says where no column is such
NEEDED = {"text": "the texts", "label": "their labels"}  # fields that a file must have
Option = str | Sequence[str] | None  # what a person says; None: nothing
Ask = Callable[[str, str | None, str | None], str]  # the field, the default and what was wrong -> what a person answers


def choose_columns(
    sample: Sample,
    options: Mapping[str, Option],
    kept: Mapping[str, Chosen],
    ask: Ask | None = None,
    rules: Rules = STRICT,
) -> dict[str, Chosen]:
    """The column of each field; no column is two fields.

    What a person says and what is wrong is refused, or asked again. A kept column that is wrong now is refused too if
    the field needs one; else the guess takes its place, of which none is wrong.

    Args:
        sample: The file.
        options: What a person has set, by field; all fields are keys.
        kept: The columns that the file still has of those of before; None: a person said that there is none.
        ask: Asks a person; None: nobody is there.
        rules: What is allowed in the rows.

    Raises:
        DataError: A column is wrong, or none is seen for a field that needs one; the message says what to do.
    """
    if sample.format == "folders":
        if field := next((field for field, name in options.items() if name not in (None, NONE)), None):
            raise DataError(f"A folder per class has no columns, so none is for the {field}. Leave that option out.")
        return {}
    chosen: dict[str, Chosen] = {}
    for field, option in options.items():
        if option is not None:
            chosen[field] = _said(sample, field, option, chosen, rules)
    guesses = guess_columns(sample)
    for field in options:
        if field in chosen:
            continue
        usable = {each: column for each, column in kept.items() if not problem_of(sample, each, column, chosen, rules)}
        why = None if field in usable or field not in kept else problem_of(sample, field, kept[field], chosen, rules)
        taken = {**usable, **chosen}
        guess = (column for column in guesses.get(field, ()) if _is_free(sample, field, column, taken, rules))
        default = usable[field] if field in usable else next(guess, None)
        if ask and field in GUESSED:
            chosen[field] = _answered(sample, field, default, why, ask, chosen, rules)
        elif why and field in NEEDED:
            raise DataError(why)
        elif default is None and field in NEEDED:
            raise DataError(_no_column(sample, field))
        else:
            chosen[field] = default
    return {field: chosen[field] for field in options}


def why_dropped(
    sample: Sample, kept: Mapping[str, Chosen], chosen: Mapping[str, Chosen], rules: Rules = STRICT
) -> dict[str, str]:
    """Why a column that the file still has is no longer that of its field, by field."""
    problems = {
        field: problem_of(sample, field, column, {**chosen, field: None}, rules)
        for field, column in kept.items()
        if names_of(sample, column) != names_of(sample, chosen.get(field))
    }
    return {field: problem for field, problem in problems.items() if problem}


def _said(sample: Sample, field: str, name: str | Sequence[str], taken: Mapping[str, Chosen], rules: Rules) -> Chosen:
    """The column that a person says.

    Raises:
        DataError: It can't be the field.
    """
    if name == NONE and field not in NEEDED:
        return None
    column = columns_named(sample, field, name)
    if problem := problem_of(sample, field, column, taken, rules):
        raise DataError(problem)
    return column


def _answered(
    sample: Sample,
    field: str,
    default: Chosen,
    why: str | None,
    ask: Ask,
    taken: Mapping[str, Chosen],
    rules: Rules,
) -> Chosen:
    """The column that a person answers; asked until it can be the field."""
    shown = ",".join(names_of(sample, default)) if default is not None else None if field in NEEDED else NONE
    while True:
        answer = ask(field, shown, why)
        if answer == shown:
            return default
        try:
            return _said(sample, field, answer, taken, rules)
        except DataError as error:
            why = str(error)


def _is_free(sample: Sample, field: str, column: Chosen, taken: Mapping[str, Chosen], rules: Rules) -> bool:
    """Whether a guess is nobody's column, and can be the field."""
    used = {name for columns in taken.values() for name in names_of(sample, columns)}
    return used.isdisjoint(names_of(sample, column)) and not problem_of(sample, field, column, taken, rules)


def _no_column(sample: Sample, field: str) -> str:
    """Why no column is seen for a field, and what to do."""
    sheet = other_sheet(sample.sheets, sample.sheet)
    if why := why_none(sample, field):
        return f"{why.removesuffix('.')}{sheet}."
    return f"Which column has {NEEDED[field]}? {show_columns(sample)} Add: --{field} COLUMN{sheet}"
