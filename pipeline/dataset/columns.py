"""Which columns hold the text, the label, the id and the group: guessed from their names and from what is in them."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.dataset.column import MOST_VALUES, Column
from pipeline.dataset.names import NAMED, words_of
from pipeline.dataset.sample import Sample
from stages.errors import DataError
from stages.messages import NAMES, examples, plain, short

MOST_LABELS = 200  # classes; a column with more values is not taken for a label
MIN_TEXT = 12  # characters; a column with shorter values is taken for a text by its name alone
FLAGS = {"0", "1", "true", "false"}  # values of a column that is one label of a set
FIELDS = ("text", "label", "id", "group")
Chosen = str | int | list[str | int] | None  # the column of a field; several: a label each


def guess_columns(sample: Sample) -> dict[str, list[str | int]]:
    """The columns that can be each field, the likeliest first: `text`, `label`, `id` and `group`.

    A label may be a list, which is a set of labels.
    """
    columns = [column for column in sample.columns if column.filled and str(column.name).strip()]
    ids = [column for column in columns if _rank(column, "id") is not None and _is_unique(column, sample)]
    texts = [column for column in columns if column not in ids and not column.numbers and _can_be_text(column)]
    texts.sort(key=lambda column: (*_named_first(column, "text"), -column.mean_length))
    rest = [column for column in columns if column not in texts[:1] and column not in ids]
    labels = [column for column in rest if _can_be_label(column)] + [Column(name) for name in sample.lists]
    labels.sort(key=lambda column: (*_named_first(column, "label"), not column.filled, len(column.values)))
    groups = [column for column in rest if column not in labels[:1] and _rank(column, "group") is not None]
    groups = sorted((column for column in groups if _repeats(column)), key=lambda column: _named_first(column, "group"))
    ids.sort(key=lambda column: _named_first(column, "id"))
    found = {"text": texts, "label": labels, "id": ids, "group": groups}
    return {name: [column.name for column in found[name]] for name in FIELDS}


def column_named(sample: Sample, field: str, name: str) -> str | int:
    """The column that a person named, as params.yaml names it: a number where there is no header.

    Raises:
        DataError: The file has no such column.
    """
    for column in sample.columns:
        if str(column.name) == name:
            return column.name
    if name in sample.twice:
        raise DataError(f"Several columns are named {short(name)}. Give each column a name of its own.")
    if name in sample.lists:
        if field == "label":
            return name  # sets of labels
        raise DataError(_of_lists(name, field))
    raise DataError(f"There is no column {plain(name)} for the {field}. {show_columns(sample)}")


def columns_named(sample: Sample, field: str, names: str | Sequence[str]) -> str | int | list[str | int]:
    """The column that a person named; for the label also several, which are columns of 0 and 1.

    Raises:
        DataError: The file has no such column.
    """
    columns = [
        column_named(sample, field, name) for name in (names_of(sample, names) if field == "label" else [str(names)])
    ]
    return columns[0] if len(columns) == 1 else columns


def names_of(sample: Sample, columns: Chosen | Sequence[str]) -> list[str]:
    """The columns as a person names them; commas divide names, but not the name of one column."""
    names = [str(name) for name in ([columns] if isinstance(columns, str | int) else columns or [])]
    known = {*(str(column.name) for column in sample.columns), *sample.lists, *sample.twice}
    parts = [part.strip() for name in names for part in ([name] if name in known else name.split(","))]
    return list(dict.fromkeys(parts))


def unused_columns(sample: Sample, columns: Mapping[str, Any]) -> str:
    """The columns that are not used, for a person, and how they could be; empty if there are none.

    Args:
        sample: The file.
        columns: Those that are used, by field; the slices too.
    """
    used = {name for value in columns.values() for name in names_of(sample, value)}
    left = [str(column.name) for column in sample.columns if column.filled and str(column.name) not in used]
    texts = [str(name) for name in guess_columns(sample)["text"] if str(name) in left]
    flags = [
        str(column.name) for column in sample.columns if FLAGS >= {value.lower() for value in column.values} > set()
    ]
    hints = []
    if texts and columns["text_pair"] is None:
        hints.append(f"for pairs of texts: --pair {shlex.quote(texts[0])}")
    if str(columns["label"]) in flags and set(flags) & set(left):
        hints.append(f"for sets of labels: --label {shlex.quote(','.join(flags))}")
    left += [name for name in sample.lists if name not in used]
    how = f" ({'; '.join(hints)})" if hints else ""
    return f"{examples(left, show=plain)}{how}" if left else ""


def why_none(sample: Sample, field: str) -> str | None:
    """Why a file has no column for the text or the label, and what to do; None: no reason is seen."""
    if sample.twice and (not sample.columns or any(_rank(Column(name), field) is not None for name in sample.twice)):
        return f"Several columns are named {examples(sample.twice)}. Give each column a name of its own."
    if sample.lists and field != "label":
        return _of_lists(sample.lists[0], field)
    if not sample.columns:
        return f"No column has a value. Fill a column of the {field}s."
    if len(sample.columns) == 1:
        other = {"excel": ", or delete a title above the table", "csv": ", or correct the delimiter"}
        return (
            f"The file has only one column, {short(str(sample.columns[0].name))}, so none is left for the {field}. Add "
            f"one{other.get(sample.format, '')}."
        )
    for column in sample.columns:
        if _rank(column, field) is not None and not column.filled:
            formula = (
                ". Formulas without a saved value count as blank: open the file in a spreadsheet program and save it"
                if sample.format == "excel"
                else ""
            )
            return f"The column {short(column.name)} is blank in all rows{formula or '. Fill it'}."
        if field == "label" and _rank(column, field) is not None and len(column.values) == 1:
            return (
                f"The column {short(column.name)} has only one value, but a model needs two classes. "
                "Add rows of another class."
            )
    return None


def _of_lists(name: str, field: str) -> str:
    return f"The column {short(name)} holds lists. Write one {field} per row."


def show_columns(sample: Sample) -> str:
    """What columns a file has, for the message that one of them is missing."""
    header = (
        "" if sample.header else " It was read without a header; if it has one, add: -S download.dataset.header=true."
    )
    return f"The file has: {show_names(sample.columns)}.{header}"


def show_names(columns: Iterable[Column]) -> str:
    """The names of columns, for a message."""
    return examples([str(column.name) for column in columns], most=NAMES, show=plain)


def _rank(column: Column, field: str) -> int | None:
    """How telling the name is for a field, 0 most; None: not at all."""
    telling = NAMED[field].split()
    return min((telling.index(word) for word in words_of(column.name) if word in telling), default=None)


def _named_first(column: Column, field: str) -> tuple[bool, int, int]:
    """Sorts columns by how telling their names are: the word alone before a name that contains it."""
    rank = _rank(column, field)
    return rank is None, len(words_of(column.name)), -1 if rank is None else rank


def _can_be_text(column: Column) -> bool:
    return _rank(column, "text") is not None or (column.mean_length >= MIN_TEXT and not _repeats(column))


def _can_be_label(column: Column) -> bool:
    return 2 <= len(column.values) <= MOST_LABELS and _repeats(column)


def _repeats(column: Column) -> bool:
    """Whether a value stands in two rows or more, on average."""
    return 2 * len(column.values) <= column.filled


def _is_unique(column: Column, sample: Sample) -> bool:
    return column.filled == sample.rows and len(column.values) == min(sample.rows, MOST_VALUES)
