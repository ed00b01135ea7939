"""Labels that are often what is left of a missing value: `nan`, `None`, `N/A`."""

import logging
from collections.abc import Collection

from stages.download.checks.label_spelling import count_rows, first_rows
from stages.download.row_store import RowStore
from stages.messages import examples, short

# In lower case, what pandas takes for missing in a CSV file (its STR_NA_VALUES), and dashes
WORDS = frozenset(
    (
        *("nan", "-nan", "none", "null", "na", "n/a", "<na>", "#na", "#n/a", "#n/a n/a"),
        *("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "-", "--", "\u2013", "\u2014"),
    )
)
logger = logging.getLogger(__name__)


def warn_of_missing_words(store: RowStore, *, chosen: Collection[str]) -> None:
    """Warn in one line of labels that often stand for a missing value; they stay classes.

    Args:
        store: All rows that can be used by themselves.
        chosen: Names that a person has given to classes: they mean what they say.
    """
    rows = count_rows(store)
    words = [label for label in rows if label.lower() in WORDS and label not in chosen]
    if not words:
        return
    first = first_rows(store)
    logger.warning(
        "Labels that often mean a missing value count as classes: %s. If they are not classes, empty these cells: "
        "download.dataset.checks.missing_label then decides about the rows. Or name the other labels in "
        "download.dataset.labels, and set checks.unknown_label: set_aside. If they are classes, list all classes in "
        "download.dataset.label_order.",
        examples(words, show=lambda label: f"{short(label)} ({rows[label]} rows, the first: {first[label]})"),
    )
