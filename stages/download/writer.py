"""Write rows.parquet and its statistics from the rows that are used."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.corrections import SOURCE_LABELS
from stages.download.checks.rules import Problems
from stages.download.row_store import COLUMNS, RowStore
from stages.errors import DataError
from stages.row_labels import label_pairs
from stages.targets.rows import Rows
from stages.targets.target import Target

READ_COLUMNS = ("id", "text", "text_pair", "label", "group", "split")
DERIVED_COLUMNS = (
    ("text_key", pa.int64()),  # equal for rows whose normalised texts are equal
    ("cluster", pa.int64()),  # equal for rows whose texts are nearly equal; null for a text that is like no other
    ("file", pa.string()),  # name of the row's file
)


def write_rows(
    store: RowStore,
    path: Path,
    *,
    kind: Rows,
    labels: Mapping[str, str],
    label_order: Sequence[str],
    aside: Mapping[int, str],
    cluster: NDArray[np.int64],
    problems: Problems,
    spellings: Mapping[str, Mapping[str, int]],
    source_labels: Mapping[str, str],
) -> dict[str, Any]:
    """Write rows.parquet, and write the rows that the checks across rows set aside to set_aside.csv.

    Args:
        store: All rows that can be used by themselves.
        path: The file to write.
        kind: Of the target.
        labels: New name of each label value; empty: the values are the names.
        label_order: The names in class order; empty: the order of the label values.
        aside: By position of each row that is set aside, the rule that it breaks.
        cluster: Cluster of nearly equal texts, -1 for none, (rows,).
        problems: Collects the rows that break a rule.
        spellings: Rows of each spelling of a label that has several, by the most frequent spelling or the class's name.
        source_labels: By id of each row with a corrected label, its label in the source.

    Returns:
        stats.json.

    Raises:
        DataError: All rows are set aside, or a model can't learn the labels of those that are not.
    """
    used = np.ones(len(cluster), dtype=np.bool_)
    used[list(aside)] = False
    counts = _label_counts(store, used)
    if not counts:
        reasons = sorted((problems.set_aside + Counter(aside.values())).items())
        named = ", ".join(f"{rule} {count}" for rule, count in reasons)
        raise DataError(
            f"No row is left to use: all {sum(store.counts)} are set aside ({named}). "
            "Correct the rows, or set download.dataset.checks so that fewer are set aside."
        )
    target = kind.describe(counts, names=labels, order=label_order)
    schema = _schema(store, target, source_labels)
    files, file = pa.array(store.files, pa.string()), store.file
    names, label = pa.array(store.labels, pa.string()), store.label
    cluster = _without_singletons(cluster, used)
    text_key, exact_key, start = store.text_key, store.exact_key, 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch, ids in store.batches_with_ids():
            rows = slice(start, start + len(batch))
            _write_set_aside(batch, ids, start, aside, store, problems)
            clusters = pa.array(cluster[rows], mask=cluster[rows] < 0)
            text, text_pair, group, split = batch.columns[1 : len(COLUMNS)]
            slices = batch.columns[len(COLUMNS) :]
            derived = [pa.array(text_key[rows]), clusters, files.take(pa.array(file[rows]))]
            read = [text, text_pair, names.take(pa.array(label[rows])), group, split]
            columns = [pa.array(ids, pa.string()), *read, *derived, *slices]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema).filter(pa.array(used[rows])))
            start += len(batch)
    return {
        "rows_in": sum(store.counts),
        "rows_used": int(used.sum()),
        "set_aside": dict(sorted(problems.set_aside.items())),
        "warnings": problems.warnings | _other_spellings(spellings, problems),
        "labels": _rows_per_label(counts, kind, target),
        "spellings": spellings,
        "duplicates": _duplicates(text_key[used], exact_key[used], cluster[used]),
    }


def _other_spellings(spellings: Mapping[str, Mapping[str, int]], problems: Problems) -> dict[str, int]:
    """The rows whose label is not in the most frequent spelling, where they are only warned of."""
    rows = sum(sum(counts.values()) - counts[name] for name, counts in spellings.items() if name in counts)
    return {"label_spelling": rows} if rows and problems.policy("label_spelling") == "warn" else {}


def _rows_per_label(counts: Mapping[str, int], kind: Rows, target: Target) -> dict[str, int]:
    index = kind.index(pa.array(counts, pa.string()), target)
    row, label = label_pairs(index)
    rows = np.bincount(label, weights=np.array(list(counts.values()))[row], minlength=len(target.labels))
    return {label: int(count) for label, count in zip(target.labels, rows, strict=True)}


def _schema(store: RowStore, target: Target, source_labels: Mapping[str, str]) -> pa.Schema:
    read, slices = (((name, pa.string()) for name in names) for names in (READ_COLUMNS, store.slice_columns))
    metadata: dict[str | bytes, str] = {"labels": json.dumps(target.to_json(), ensure_ascii=False)}
    if source_labels:
        metadata[SOURCE_LABELS] = json.dumps(source_labels, ensure_ascii=False)
    return pa.schema([*read, *DERIVED_COLUMNS, *slices], metadata=metadata)


def _label_counts(store: RowStore, used: NDArray[np.bool_]) -> dict[str, int]:
    counts = np.bincount(store.label[used], minlength=len(store.labels))
    return {name: int(counts[index]) for name, index in store.labels.items() if counts[index]}


def _write_set_aside(
    batch: pa.RecordBatch, ids: list[str], start: int, aside: Mapping[int, str], store: RowStore, problems: Problems
) -> None:
    for offset, row_id in enumerate(ids):
        rule = aside.get(start + offset)
        if rule:
            row = store.source_row(start + offset)
            problems.write_set_aside(rule, row._replace(id=row_id, text=batch.column("text")[offset].as_py()))


def _without_singletons(cluster: NDArray[np.int64], used: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return `cluster` with -1 for the rows of clusters of which fewer than two rows are used."""
    rows = np.bincount(cluster[used & (cluster >= 0)], minlength=len(cluster) + 1)
    return np.where(rows[cluster] > 1, cluster, -1)


def _duplicates(
    text_key: NDArray[np.int64], exact_key: NDArray[np.int64], cluster: NDArray[np.int64]
) -> dict[str, int]:
    """How many rows repeat a text: character for character, only when normalised, and nearly."""
    distinct, normalised = len(np.unique(exact_key)), len(np.unique(text_key))
    near = cluster[np.unique(text_key, return_index=True)[1]]  # of each text's first row
    return {
        "distinct_texts": distinct,
        "repeated_rows": len(exact_key) - distinct,
        "repeated_but_for_case": distinct - normalised,
        "nearly_repeated": int((near >= 0).sum() - len(np.unique(near[near >= 0]))),
    }
