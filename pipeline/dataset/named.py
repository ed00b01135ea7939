"""Columns by the names that a person, or params.yaml, gives them: found as the download stage finds them."""

from collections.abc import Sequence

from pipeline.dataset.sample import Sample
from stages.errors import DataError
from stages.messages import NAMES, examples, plain, short
from stages.reading.values import alike_names

Chosen = str | int | list[str | int] | None  # the column of a field; several: a label each


def columns_named(sample: Sample, field: str, names: str | Sequence[str]) -> str | int | list[str | int]:
    """The column that a person named, as params.yaml names it; for the label also several: columns of 0 and 1.

    Raises:
        DataError: The file has no such column, or several of them.
    """
    parts = names_of(sample, names) if field == "label" else [own_name(sample, str(names))]
    columns = [_column_named(sample, field, name) for name in parts]
    return columns[0] if len(columns) == 1 else columns


def names_of(sample: Sample, columns: Chosen | Sequence[str]) -> list[str]:
    """The columns by the file's own names; commas divide names, but not the name of one column."""
    names = [str(name) for name in ([columns] if isinstance(columns, str | int) else columns or [])]
    parts = [part for name in names for part in ([name] if _alike(sample, name) else name.split(","))]
    return list(dict.fromkeys(own_name(sample, part) for part in parts))


def own_name(sample: Sample, name: str) -> str:
    """The name as the file writes it; as it is given where the file has none, or several, that could be meant."""
    alike = _alike(sample, name)
    return alike[0] if len(alike) == 1 else name.strip()


def of_lists(name: str, field: str) -> str:
    """Why a column of lists can't be a field."""
    return f"The column {short(name)} holds lists. Write one {field} per row."


def show_columns(sample: Sample) -> str:
    """What columns a file has, for the message that one of them is missing."""
    header = (
        "" if sample.header else " It was read without a header; if it has one, add: -S download.dataset.header=true."
    )
    twice = f" Several columns are named {examples(sample.twice)}: give each a name of its own." if sample.twice else ""
    return f"The file has: {show_names(sample)}.{twice}{header}"


def show_names(sample: Sample) -> str:
    """The names of the columns, for a message."""
    return examples(_known(sample), most=NAMES, show=plain)


def _known(sample: Sample) -> list[str]:
    """The names that a person can give, each once."""
    names = (*(str(column.name) for column in sample.columns), *sample.lists, *sample.twice)
    return list(dict.fromkeys(names))


def _alike(sample: Sample, name: str) -> list[str]:
    """The column of this very name; else those whose names differ by blanks around it."""
    known = _known(sample)
    return [name] if name in known else alike_names(known, name)


def _column_named(sample: Sample, field: str, name: str) -> str | int:
    for column in sample.columns:
        if str(column.name) == name:
            return column.name
    if name in sample.twice or len(_alike(sample, name)) > 1:
        raise DataError(f"Several columns are named {short(name)}. Give each column a name of its own.")
    if name in sample.lists:
        return name
    raise DataError(f"There is no column {plain(name)} for the {field}. {show_columns(sample)}")
