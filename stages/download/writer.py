"""Write rows.parquet and its statistics out of the rows that are used."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.download.checks.rules import Checks
from stages.download.labels import in_class_order
from stages.download.spool import SPOOLED, Spool
from stages.errors import DataError

OWN = (
    ("text_key", pa.int64()),  # equal for rows whose texts are equal but for case, width and blanks
    ("cluster", pa.int64()),  # equal for rows whose texts are nearly equal; null where there is no other
    ("file", pa.string()),  # where the row was read
)


def write_rows(
    spool: Spool,
    path: Path,
    *,
    labels: Mapping[str, str],
    aside: Mapping[int, str],
    cluster: NDArray[np.int64],
    checks: Checks,
) -> dict[str, Any]:
    """Write rows.parquet, and the rows that the checks over all rows set aside into set_aside.csv.

    Args:
        spool: All rows that can be used by themselves.
        path: The file to write.
        labels: New name of each label value; empty: as they are.
        aside: Rule by position of each row that is set aside.
        cluster: Cluster of nearly equal texts, -1 for none; shape (rows,).
        checks: Where rows that are set aside go.

    Returns:
        stats.json.

    Raises:
        DataError: No row is left, or all that are left have one label.
    """
    stays = np.ones(len(cluster), dtype=np.bool_)
    stays[list(aside)] = False
    counts = _label_counts(spool, stays)
    if not counts:
        found = checks.set_aside + Counter(aside.values())
        raise DataError(f"No row is left: all {sum(spool.counts)} are set aside ({dict(sorted(found.items()))}).")
    order = in_class_order(counts, labels)
    fields = [(name, pa.string()) for name in SPOOLED] + [*OWN] + [(name, pa.string()) for name in spool.kept]
    schema = pa.schema(fields, metadata={"labels": json.dumps(order, ensure_ascii=False)})
    files, file = pa.array(spool.files, pa.string()), spool.file
    cluster = _with_company(cluster, stays)
    text_key, exact, occurrence, start = spool.text_key, spool.exact_key, _occurrences(spool.exact_key), 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in spool.batches():
            rows = slice(start, start + len(batch))
            ids = [
                given or hashed_id(key, number)
                for given, key, number in zip(
                    batch.column("id").to_pylist(), exact[rows].tolist(), occurrence[rows].tolist(), strict=True
                )
            ]
            _write_aside(batch, ids, start, aside, spool, checks)
            clusters = pa.array(cluster[rows], mask=cluster[rows] < 0)
            texts, kept = batch.columns[1 : len(SPOOLED)], batch.columns[len(SPOOLED) :]
            own = [pa.array(text_key[rows]), clusters, files.take(pa.array(file[rows]))]
            columns = [pa.array(ids, pa.string()), *texts, *own, *kept]
            used = pa.RecordBatch.from_arrays(columns, schema=schema).filter(pa.array(stays[rows]))
            writer.write_batch(used)
            start += len(batch)
    return {
        "rows_in": sum(spool.counts),
        "rows_used": int(stays.sum()),
        "set_aside": dict(sorted(checks.set_aside.items())),
        "warnings": checks.warnings,
        "labels": {label: counts[label] for label in order},
        "duplicates": _duplicates(text_key[stays], exact[stays], cluster[stays]),
    }


def hashed_id(key: int, occurrence: int) -> str:
    """Return an id that stays when rows are added: the text's hash, and the count where the text occurs again."""
    name = f"{key & 0xFFFFFFFFFFFFFFFF:016x}"
    return name if occurrence == 1 else f"{name}-{occurrence}"


def _label_counts(spool: Spool, stays: NDArray[np.bool_]) -> dict[str, int]:
    counts = np.bincount(spool.label[stays], minlength=len(spool.labels))
    return {name: int(counts[index]) for name, index in spool.labels.items() if counts[index]}


def _occurrences(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many rows up to and with each one have its key; shape (rows,)."""
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=key[order][:1] - 1))
    run = np.arange(len(key)) - np.repeat(starts, np.diff(starts, append=len(key))) + 1
    occurrence = np.empty(len(key), dtype=np.int64)
    occurrence[order] = run
    return occurrence


def _write_aside(
    batch: pa.RecordBatch, ids: list[str], start: int, aside: Mapping[int, str], spool: Spool, checks: Checks
) -> None:
    for offset, name in enumerate(ids):
        rule = aside.get(start + offset)
        if rule:
            place = spool.place(start + offset)._replace(id=name, text=batch.column("text")[offset].as_py())
            checks.write_aside(rule, place)


def _with_company(cluster: NDArray[np.int64], stays: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Take rows out of their cluster where all others of it are set aside."""
    rows = np.bincount(cluster[stays & (cluster >= 0)], minlength=len(cluster) + 1)
    return np.where(rows[cluster] > 1, cluster, -1)


def _duplicates(text_key: NDArray[np.int64], exact: NDArray[np.int64], cluster: NDArray[np.int64]) -> dict[str, int]:
    """How often texts occur again: character for character, but for case, width and blanks, and nearly."""
    distinct, equal = len(np.unique(exact)), len(np.unique(text_key))
    near = cluster[np.unique(text_key, return_index=True)[1]]  # one row of each text
    return {
        "distinct_texts": distinct,
        "repeated_rows": len(exact) - distinct,
        "repeated_but_for_case": distinct - equal,
        "nearly_repeated": int((near >= 0).sum() - len(np.unique(near[near >= 0]))),
    }
