"""Which columns hold the text, the label, the id and the group: guessed from their names and from what is in them."""

from pipeline.dataset.column import Column
from pipeline.dataset.fitness import content_problem, is_unique
from pipeline.dataset.named import of_lists
from pipeline.dataset.names import NAMED, words_of
from pipeline.dataset.sample import Sample
from stages.messages import examples, short

MOST_LABELS = 200  # classes; a column with more values is not taken for a label
MIN_TEXT = 12  # characters; a column with shorter values is taken for a text by its name alone
GUESSED = ("text", "label", "id", "group")


def guess_columns(sample: Sample) -> dict[str, list[str | int]]:
    """The columns that can be each field, the likeliest first: `text`, `label`, `id` and `group`.

    A label may be a list, which is a set of labels.
    """
    columns = [column for column in sample.columns if column.filled and str(column.name).strip()]
    ids = [column for column in columns if _rank(column, "id") is not None and is_unique(sample, column)]
    texts = [column for column in columns if column not in ids and not column.numbers and _can_be_text(column)]
    texts.sort(key=lambda column: (*_named_first(column, "text"), -column.mean_length))
    rest = [column for column in columns if column not in texts[:1] and column not in ids]
    labels = [column for column in rest if _can_be_label(column)] + [Column(name) for name in sample.lists]
    labels.sort(key=lambda column: (*_named_first(column, "label"), not column.filled, len(column.values)))
    groups = [column for column in rest if column not in labels[:1] and _rank(column, "group") is not None]
    groups = sorted((column for column in groups if _repeats(column)), key=lambda column: _named_first(column, "group"))
    ids.sort(key=lambda column: _named_first(column, "id"))
    found = {"text": texts, "label": labels, "id": ids, "group": groups}
    return {name: [column.name for column in found[name]] for name in GUESSED}


def why_none(sample: Sample, field: str) -> str | None:
    """Why a file has no column for the text or the label, and what to do; None: no reason is seen."""
    if sample.twice and (not sample.columns or any(_rank(Column(name), field) is not None for name in sample.twice)):
        return f"Several columns are named {examples(sample.twice)}. Give each column a name of its own."
    if sample.lists and field != "label":
        return of_lists(sample.lists[0], field)
    if not sample.columns:
        return f"No column has a value. Fill a column of the {field}s."
    if len(sample.columns) == 1:
        other = {"excel": ", or delete a title above the table", "csv": ", or correct the delimiter"}
        return (
            f"The file has only one column, {short(str(sample.columns[0].name))}, so none is left for the {field}. Add "
            f"one{other.get(sample.format, '')}."
        )
    telling = (column for column in sample.columns if _rank(column, field) is not None)
    return next(filter(None, (content_problem(sample, field, column) for column in telling)), None)


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
