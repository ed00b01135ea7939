"""Labels that are names of splits: then the column of the label, or a folder, is the wrong one."""

import logging
from collections.abc import Collection

from stages.download.row_store import RowStore
from stages.messages import examples, short
from stages.reading.splits import all_are_splits

logger = logging.getLogger(__name__)


def warn_of_split_names(store: RowStore, *, chosen: Collection[str]) -> None:
    """Warn in one line if all labels are names of splits; they stay classes.

    Args:
        store: All rows that can be used by themselves.
        chosen: Names that a person has given to classes: they mean what they say.
    """
    labels = sorted({label for label in store.labels if label and label not in chosen})
    if all_are_splits(labels):
        logger.warning(
            "The classes are %s, which are names of splits. If they are not classes, correct "
            "download.dataset.columns.label, or give each part an entry with its split in download.dataset.files. If "
            "they are classes, list them in download.dataset.label_order.",
            examples(labels, show=short),
        )
