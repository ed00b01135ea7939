"""Checks that need all rows: equal and nearly equal texts, texts with two labels, labels that hardly occur."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.download.checks.near_duplicates import find_clusters
from stages.download.checks.rules import Checks
from stages.download.spool import Spool, normalise
from stages.errors import DataError


def check_overall(
    spool: Spool, checks: Checks, *, min_rows_per_label: int, similarity: float
) -> tuple[dict[int, str], NDArray[np.int64]]:
    """Check the rows against each other.

    Args:
        spool: All rows that can be used by themselves.
        checks: Where rows that can't be used go.
        min_rows_per_label: Rows (>= 1) that every label should have.
        similarity: Least Jaccard similarity (0 to 1) of texts that are nearly equal.

    Returns:
        The rule by position of each row that is to be set aside; and each row's cluster of nearly equal texts,
        the position of its first row, -1 where it has no other; shape (rows,).
    """
    text_key, label = spool.text_key, spool.label
    # the position of the first row with the same text, and the number of the text; texts in the order of their keys
    _, first, text = np.unique(text_key, return_index=True, return_inverse=True)
    cluster = (
        _clusters(spool, first, text, similarity)
        if checks.policy("near_duplicate") != "ignore"
        else -np.ones_like(text)
    )
    aside: dict[int, str] = {}
    _apply("conflicting_labels", np.flatnonzero(_in_conflict(text, label)), spool, checks, aside)
    later = np.arange(len(text)) != first[text]
    _apply("duplicate_text", np.flatnonzero(later), spool, checks, aside)
    nearly = (cluster >= 0) & (cluster != np.arange(len(text))) & ~later
    _apply("near_duplicate", np.flatnonzero(nearly), spool, checks, aside)
    _check_labels(spool, checks, aside, min_rows_per_label)
    return aside, cluster


def _in_conflict(text: NDArray[np.int64], label: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rows whose text stands with more than one label."""
    most, least = np.full(len(text), -1), np.full(len(text), len(text))
    np.maximum.at(most, text, label)
    np.minimum.at(least, text, label)
    conflict: NDArray[np.bool_] = (most != least)[text]
    return conflict


def _clusters(spool: Spool, first: NDArray[np.int64], text: NDArray[np.int64], similarity: float) -> NDArray[np.int64]:
    """The position of the first row of each row's cluster; -1 where its cluster has one text only."""
    order = np.sort(first)  # texts in the order in which they were read
    number = find_clusters(_texts(spool, order), similarity=similarity)
    of_row = np.empty(len(first), dtype=np.int64)
    of_row[np.argsort(first)] = number
    of_row = of_row[text]
    texts = np.bincount(number, minlength=1)
    start = np.full(len(texts), len(text))
    np.minimum.at(start, of_row, np.arange(len(text)))
    return np.where(texts[of_row] > 1, start[of_row], -1)


def _texts(spool: Spool, positions: NDArray[np.int64]) -> Iterator[list[str]]:
    """The texts at some positions, ascending, made equal but for what matters."""
    start = 0
    for batch in spool.batches():
        inside = positions[np.searchsorted(positions, start) : np.searchsorted(positions, start + len(batch))] - start
        rows = batch.take(pa.array(inside))
        start += len(batch)
        pairs = zip(rows.column("text").to_pylist(), rows.column("text_pair").to_pylist(), strict=True)
        yield [" ".join(filter(None, (normalise(text), normalise(pair)))) for text, pair in pairs]


def _apply(rule: str, positions: NDArray[np.int64], spool: Spool, checks: Checks, aside: dict[int, str]) -> None:
    """Note what breaks the rule; what is set aside already can't break another one."""
    for position in positions.tolist():
        if position in aside:
            continue
        if checks.policy(rule) == "set_aside":
            aside[position] = rule  # written down at the end, when its text is read again
        else:
            checks.note(rule, spool.place(position))


def _check_labels(spool: Spool, checks: Checks, aside: dict[int, str], least: int) -> None:
    stays = np.ones(len(spool.label), dtype=np.bool_)
    stays[list(aside)] = False
    counts = np.bincount(spool.label[stays], minlength=len(spool.labels))
    rare = {name: int(counts[index]) for name, index in spool.labels.items() if 0 < counts[index] < least}
    if rare and checks.policy("rare_label") == "fail":
        checks.raise_failures()
        found = ", ".join(f"{name!r} has {count}" for name, count in sorted(rare.items()))
        raise DataError(
            f"Labels with fewer than {least} rows: {found}. "
            "Give them more rows, join them with another class in download.dataset.labels, "
            "or set download.dataset.checks.rare_label: set_aside or a lower min_rows_per_label."
        )
    indices = [spool.labels[name] for name in rare]
    _apply("rare_label", np.flatnonzero(stays & np.isin(spool.label, indices)), spool, checks, aside)
