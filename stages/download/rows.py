"""Write rows.parquet out of the files read: every row is used or set aside, and both are counted."""

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stages.download.checks import Checks
from stages.download.labels import in_class_order, rename
from stages.download.records import Layout, Record, read_records
from stages.errors import DataError
from stages.files import write_json

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("text", pa.string()),
        pa.field("text_pair", pa.string()),
        pa.field("label", pa.string()),
        pa.field("group", pa.string()),
        pa.field("split", pa.string()),
        pa.field("text_key", pa.int64()),  # equal for rows whose texts are equal but for case, width and blanks
    ]
)
BATCH = 10_000  # rows


@dataclass(frozen=True)
class InputFile:
    """A file on disk that rows are read from; `split` and `label` hold for all of them."""

    path: Path
    name: str
    layout: Layout
    split: str | None
    label: str | None


class RowReader:
    """Turns records into rows, or rejects them.

    Args:
        labels: New name of each label value; empty: they stay as they are.
        checks: Where rows that can't be used go.
    """

    def __init__(self, *, labels: Mapping[str, str], checks: Checks) -> None:
        self._names = labels
        self._checks = checks
        self._ids: set[str] = set()
        self._seen: Counter[int] = Counter()  # rows by hash of their text, to tell equal ones apart
        self.labels: Counter[str] = Counter()
        self.rows_in = 0

    def rows(self, file: InputFile) -> Iterator[dict[str, Any]]:
        """Yield what stands in rows.parquet for each record of the file that can be used."""
        for record in read_records(file.path, name=file.name, layout=file.layout):
            self.rows_in += 1
            value = (file.label if file.label is not None else record.label or "").strip()
            label = rename(value, self._names)
            rule, detail = self._problem(record, value, label, file.layout.columns)
            if rule:
                self._checks.reject(rule, file.name, record, detail)
                continue
            exact = _hash(record.text, record.text_pair)
            self._seen[exact] += 1
            if record.id is not None:
                self._ids.add(record.id)
            self.labels[label or ""] += 1
            yield {
                "id": record.id or _hashed_id(exact, self._seen[exact]),
                "text": record.text,
                "text_pair": record.text_pair,
                "label": label,
                "group": record.group or None,
                "split": file.split,
                "text_key": _hash(_normalise(record.text), _normalise(record.text_pair)),
            }

    def _problem(self, record: Record, value: str, label: str | None, columns: Collection[str]) -> tuple[str, str]:
        """The rule that the record breaks, if it does, and what a message adds to it."""
        if record.problem:
            return "malformed_row", record.problem
        for cell in (record.text, record.text_pair, value, record.id, record.group):
            if cell and not cell.isascii() and any("\ud800" <= character <= "\udfff" for character in cell):
                return "broken_encoding", ""
        if not record.text or record.text.isspace():
            return "empty_text", ""
        if "text_pair" in columns and (not record.text_pair or record.text_pair.isspace()):
            return "empty_text", "text_pair"
        if not value:
            return "missing_label", ""
        if label is None:
            return "unknown_label", value
        if "id" in columns and not record.id:
            return "missing_id", ""
        if "id" in columns and record.id in self._ids:
            return "duplicate_id", str(record.id)
        return "", ""

    @property
    def duplicates(self) -> dict[str, int]:
        """How often a text occurs again, character for character."""
        return {"distinct_texts": len(self._seen), "repeated_rows": self._seen.total() - len(self._seen)}


def write_rows(
    folder: Path,
    files: Iterable[InputFile],
    *,
    labels: Mapping[str, str],
    policies: Mapping[str, str],
    min_rows_per_label: int,
) -> list[int]:
    """Read `files` and write rows.parquet, stats.json and set_aside.csv into `folder`.

    Args:
        folder: Where to write.
        files: The files, in the order in which their rows are to stand.
        labels: New name of each label value; empty: as they are.
        policies: `fail` or `set_aside` for rows that can't be used, by rule.
        min_rows_per_label: Rows (>= 1) that every label must have.

    Returns:
        Rows read from each file.

    Raises:
        DataError: A row can't be used and its rule's policy is to fail, or the rows do not make a data set.
    """
    counts: list[int] = []
    spool = folder / "rows.arrow"
    with (folder / "set_aside.csv").open("w", encoding="utf-8", newline="") as set_aside:
        checks = Checks(policies, set_aside)
        reader = RowReader(labels=labels, checks=checks)
        with pa.ipc.new_stream(spool, SCHEMA) as writer:
            for file in files:
                before = reader.rows_in
                for batch in _batches(reader.rows(file)):
                    writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=SCHEMA))
                counts.append(reader.rows_in - before)
                if not counts[-1]:
                    raise DataError(f"{file.name} has no rows. Give a file with rows.")
    checks.raise_failures()
    if not reader.labels:
        raise DataError(f"No row is left: all {reader.rows_in} are set aside ({dict(checks.set_aside)}).")
    order = in_class_order(reader.labels, labels)
    _require_rows(reader.labels, min_rows_per_label)
    _with_labels(spool, folder / "rows.parquet", order)
    stats = {
        "rows_in": reader.rows_in,
        "rows_used": reader.labels.total(),
        "set_aside": dict(sorted(checks.set_aside.items())),
        "labels": {label: reader.labels[label] for label in order},
        "duplicates": reader.duplicates,
    }
    write_json(folder / "stats.json", stats)
    return counts


def _require_rows(labels: Mapping[str, int], least: int) -> None:
    rare = {label: count for label, count in sorted(labels.items()) if count < least}
    if rare:
        raise DataError(
            f"Labels with fewer than {least} rows: {', '.join(f'{label!r} has {n}' for label, n in rare.items())}. "
            "Give them more rows, join them with another class in download.dataset.labels, "
            "or set download.dataset.checks.min_rows_per_label."
        )


def _with_labels(spool: Path, path: Path, labels: list[str]) -> None:
    """Rewrite the rows as Parquet: the label names, known only now, must stand in its schema from the start."""
    schema = SCHEMA.with_metadata({"labels": json.dumps(labels, ensure_ascii=False)})
    with (
        pa.memory_map(str(spool)) as source,
        closing(pa.ipc.open_stream(source)) as stream,
        pq.ParquetWriter(path, schema, compression="zstd") as writer,
    ):
        for batch in stream:
            writer.write_batch(batch.replace_schema_metadata(schema.metadata))
    spool.unlink()


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _hash(text: str | None, pair: str | None) -> int:
    """A 64-bit hash of a text, or of two, that is the same on every machine."""
    whole = (text or "") if pair is None else f"{text}\x1f{pair}"
    return int.from_bytes(hashlib.blake2b(whole.encode(), digest_size=8).digest(), "big", signed=True)


def _hashed_id(exact: int, occurrence: int) -> str:
    """An id that stays when rows are added: the text's hash, and the count where the text occurs again."""
    name = f"{exact & 0xFFFFFFFFFFFFFFFF:016x}"
    return name if occurrence == 1 else f"{name}-{occurrence}"


def _normalise(text: str | None) -> str | None:
    return None if text is None else " ".join(unicodedata.normalize("NFKC", text).casefold().split())
