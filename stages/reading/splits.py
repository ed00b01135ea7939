"""Names that data sets give to their official splits, as splits of a data set and as folders."""

import logging
from collections.abc import Collection

from stages.messages import NAMES, examples, plain

OFFICIAL = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev", "eval", "evaluation"),
    "test": ("test", "testing"),
}
logger = logging.getLogger(__name__)


def official_split(name: str | None) -> str | None:
    """Return `train`, `val` or `test` for a name of one; None for any other name."""
    wanted = (name or "").casefold()
    return next((split for split, names in OFFICIAL.items() if wanted in names), None)


def all_are_splits(names: Collection[str]) -> bool:
    """Return whether names, two or more, are all those of splits."""
    return len(names) > 1 and all(map(official_split, names))


def log_splits(name: str, present: Collection[str], read: Collection[str]) -> None:
    """Log which splits of a data set are read, and as what; warn of those that are not read."""
    shown = [split if official_split(split) == split else f"{split} (as {official_split(split)})" for split in read]
    unread = [split for split in present if split not in read]
    what = f"{name}: the splits that are read: {examples(shown, most=NAMES, show=plain)}"
    if unread:
        logger.warning(
            "%s; not read: %s. To read one, add an entry to download.dataset.files that names it as `member`.",
            what,
            examples(unread, most=NAMES, show=plain),
        )
    elif shown != list(read):
        logger.info("%s", what)
