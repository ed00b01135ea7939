"""Checks that need all rows: equal and nearly equal texts, texts with several labels, unseen labels, rare labels."""

from collections.abc import Callable, Collection, Iterator, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.download.checks.label_hints import label_hint
from stages.download.checks.rules import Problems
from stages.download.row_store import RowStore
from stages.errors import DataError
from stages.messages import examples, short
from stages.near_duplicates import find_clusters
from stages.spelling_key import spelling_key
from stages.text_keys import normalise


def check_across_rows(
    store: RowStore,
    problems: Problems,
    *,
    label_checks: Collection[str],
    min_rows_per_label: int,
    similarity: float,
    aside: Mapping[int, str] | None = None,
) -> tuple[dict[int, str], NDArray[np.int64]]:
    """Check the rows against each other.

    Args:
        store: All rows that can be used by themselves.
        problems: Collects the rows that break a rule.
        label_checks: The checks of labels that make sense for the kind of target.
        min_rows_per_label: Rows (>= 1) that every label should have.
        similarity: Least Jaccard similarity (0 to 1) of texts that are nearly equal.
        aside: Rows that are set aside already, and why: no other row repeats or contradicts them.

    Returns:
        By position of each row that is to be set aside, the rule that it breaks; and of each row the position of the
        first row of its cluster of nearly equal texts, -1 for a cluster of one text, shape (rows,).
    """
    aside, position = dict(aside or {}), np.arange(len(store.label))
    kept = np.delete(position, list(aside))
    # of each text, in the order of the keys, its first row among those kept; and of each of these its text
    _, first, text = np.unique(store.text_key[kept], return_index=True, return_inverse=True)
    earlier, cluster = position.copy(), -np.ones_like(position)
    earlier[kept] = kept[first[text]]
    if problems.policy("near_duplicate") != "ignore":
        cluster[kept] = _clusters(store, kept, first, text, similarity)
    if "conflicting_labels" in label_checks:
        _apply("conflicting_labels", kept[_in_conflict(text, store.label[kept])], store, problems, aside)
    repeats = position != earlier
    _apply("duplicate_text", np.flatnonzero(repeats), store, problems, aside, detail=_see(store, earlier))
    near = (cluster >= 0) & (cluster != position) & ~repeats
    _apply("near_duplicate", np.flatnonzero(near), store, problems, aside, detail=_see(store, cluster))
    if "unseen_label" in label_checks:
        _check_unseen(store, problems, aside)
    if "rare_label" in label_checks:
        _check_labels(store, problems, aside, min_rows_per_label)
    return aside, cluster


def _in_conflict(text: NDArray[np.int64], label: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the text of a row has several labels; shape (rows,)."""
    most, least = np.full(len(text), -1), np.full(len(text), len(text))
    np.maximum.at(most, text, label)
    np.minimum.at(least, text, label)
    conflict: NDArray[np.bool_] = (most != least)[text]
    return conflict


def _clusters(
    store: RowStore, kept: NDArray[np.int64], first: NDArray[np.int64], text: NDArray[np.int64], similarity: float
) -> NDArray[np.int64]:
    """Position of the first row of the cluster of each row kept; -1 where the cluster has one text; shape (kept,)."""
    cluster_of_text = np.empty(len(first), dtype=np.int64)
    texts_of_first = _normalised_texts(store, kept[np.sort(first)])
    cluster_of_text[np.argsort(first)] = find_clusters(texts_of_first, similarity=similarity)
    cluster = cluster_of_text[text]  # (rows,)
    texts = np.bincount(cluster_of_text, minlength=1)  # (clusters,)
    start = np.full(len(texts), len(text))
    np.minimum.at(start, cluster, np.arange(len(text)))
    return np.where(texts[cluster] > 1, kept[start[cluster]], -1)


def _normalised_texts(store: RowStore, positions: NDArray[np.int64]) -> Iterator[list[str]]:
    """The texts of the rows at some positions, which ascend; normalised, in batches."""
    start = 0
    for batch in store.batches():
        inside = positions[np.searchsorted(positions, start) : np.searchsorted(positions, start + len(batch))] - start
        rows = batch.take(pa.array(inside))
        start += len(batch)
        pairs = zip(rows.column("text").to_pylist(), rows.column("text_pair").to_pylist(), strict=True)
        yield [" ".join(filter(None, (normalise(text), normalise(pair)))) for text, pair in pairs]


def _apply(
    rule: str,
    positions: NDArray[np.int64],
    store: RowStore,
    problems: Problems,
    aside: dict[int, str],
    *,
    detail: Callable[[int], str] = lambda _: "",
) -> None:
    """Add the rows at `positions` to the problems, or to `aside`; rows that are set aside already break no other rule.

    Args:
        rule: Name of the rule that they break.
        positions: The rows.
        store: All rows.
        problems: Collects the rows that break a rule.
        aside: Rule by position of each row that is to be set aside.
        detail: What the message adds to the row at a position.
    """
    for position in positions.tolist():
        if position in aside:
            continue
        if problems.policy(rule) == "set_aside":
            aside[position] = rule  # `write_rows` writes it, because it reads the texts again
        else:
            problems.add(rule, store.source_row(position), detail(position))


def _see(store: RowStore, earlier: NDArray[np.int64]) -> Callable[[int], str]:
    """Return a function from a row's position to where the row that it repeats is."""

    def see(position: int) -> str:
        row, first = store.source_row(position), store.source_row(int(earlier[position]))
        return f"see row {first.row}" if row.file == first.file else f"see {first.file} row {first.row}"

    return see


def _check_unseen(store: RowStore, problems: Problems, aside: dict[int, str]) -> None:
    """Check that each label of a row of an official val or test is that of a row that train can have."""
    measured = np.array([split in ("val", "test") for split in store.splits], dtype=np.bool_)[store.file]
    used = np.ones(len(measured), dtype=np.bool_)
    used[list(aside)] = False
    label, names = store.label, list(store.labels)
    if not (used & ~measured).any():
        return  # `split` names what is missing: the rows of train
    seen = np.zeros(len(names), dtype=np.bool_)
    seen[label[used & ~measured]] = True
    spelled = {spelling_key(names[index]): names[index] for index in np.flatnonzero(seen)}

    def detail(position: int) -> str:
        name = names[label[position]]
        alike = spelled.get(spelling_key(name))
        return f"{short(name)}; train has {short(alike)}" if alike else short(name)

    positions = np.flatnonzero(used & measured & ~seen[label])
    _apply("unseen_label", positions, store, problems, aside, detail=detail)


def _check_labels(store: RowStore, problems: Problems, aside: dict[int, str], least: int) -> None:
    used = np.ones(len(store.label), dtype=np.bool_)
    used[list(aside)] = False
    counts = np.bincount(store.label[used], minlength=len(store.labels))
    rare = {name: int(counts[index]) for name, index in store.labels.items() if 0 < counts[index] < least}
    if rare and problems.policy("rare_label") == "fail":
        problems.raise_failures()
        rows = examples(sorted(rare), show=lambda name: f"{short(name)} has {rare[name]}")
        raise DataError(
            f"Labels with fewer than {least} rows: {rows}. "
            "Add rows of these labels, join them with another class in download.dataset.labels, "
            "or set download.dataset.checks.rare_label: set_aside or a lower min_rows_per_label. "
            f"{label_hint(store.labels)}".rstrip()
        )
    indices = [store.labels[name] for name in rare]
    _apply("rare_label", np.flatnonzero(used & np.isin(store.label, indices)), store, problems, aside)
