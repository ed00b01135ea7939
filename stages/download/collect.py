"""Read every row, check it by itself, and store the rows that can be used."""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from stages.download.checks.row import broken_rules
from stages.download.checks.rules import Problems, SourceRow
from stages.download.inputs import InputFile
from stages.download.labels import LabelNames
from stages.download.readers.record import encodable
from stages.download.row_store import RowStore
from stages.errors import DataError

BATCH = 10_000  # rows
BATCH_CHARACTERS = 100_000_000  # of texts; ends a batch too
PROGRESS = 100_000  # rows between two lines of the log
SURROGATE = re.compile("[\ud800-\udfff]")
logger = logging.getLogger(__name__)


def collect_rows(
    files: Iterable[InputFile],
    path: Path,
    *,
    names: LabelNames,
    problems: Problems,
    slice_columns: Sequence[str] = (),
) -> RowStore:
    """Read all files in their order, check each row by itself, and store the rows that can be used.

    Args:
        files: The files.
        path: Where the store keeps the columns.
        names: Class name of each label value.
        problems: Collects the rows that break a rule.
        slice_columns: Names of the slice columns that each record has.

    Raises:
        DataError: A file has no rows.
    """
    store, ids = RowStore(path, slice_columns), set[str]()
    with pa.ipc.new_stream(path, store.schema) as writer:
        for file in files:
            store.files.append(file.name)
            store.splits.append(file.split)
            store.counts.append(0)
            progress = PROGRESS
            rows = _usable_rows(file, store, names, problems, ids)
            for batch in _batches(rows):
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=store.schema))
                if store.counts[-1] >= progress:
                    logger.info("%s: %d rows read", file.name, store.counts[-1])
                    progress = store.counts[-1] // PROGRESS * PROGRESS + PROGRESS
            if not store.counts[-1]:
                raise DataError(f"{file.name} has no rows. Give a file with rows.")
    return store


def _usable_rows(
    file: InputFile, store: RowStore, names: LabelNames, problems: Problems, ids: set[str]
) -> Iterator[dict[str, Any]]:
    """Yield the columns of each row that can be used, and add the row to the store."""
    for raw in file.records:
        store.counts[-1] += 1
        value = names.read(file.label if file.label is not None else raw.label)
        label = _replace_surrogates(names.rename(value))
        usable = True
        for rule, detail in broken_rules(raw, value=value, names=names, label=label, columns=file.columns, ids=ids):
            usable &= problems.add(rule, SourceRow(file.name, raw.row, raw.id, raw.text), detail)
            if problems.policy(rule) == "set_aside":
                break  # a row is set aside once, under the first rule that it breaks
        if not usable:
            continue
        record = raw._replace(
            text=_replace_surrogates(raw.text),
            text_pair=_replace_surrogates(raw.text_pair),
            id=_replace_surrogates(raw.id),
            group=_replace_surrogates(raw.group),
        )
        store.add(record, label or "")
        if record.id:
            ids.add(record.id)
        slices = [_stripped(_replace_surrogates(cell)) for cell in raw.slices]
        yield {
            "id": record.id,
            "text": record.text or "",
            "text_pair": (record.text_pair or "") if "text_pair" in file.columns else None,
            "group": _stripped(record.group),  # else one group of two spellings could be in two splits
            "split": file.split,
            **dict(zip(store.slice_columns, slices, strict=True)),
        }


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows in lists of a bounded number of rows and characters."""
    batch: list[dict[str, Any]] = []
    characters = 0
    for row in rows:
        batch.append(row)
        characters += sum(len(cell) for cell in row.values() if cell)
        if len(batch) == BATCH or characters > BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _stripped(cell: str | None) -> str | None:
    return (cell or "").strip() or None


def _replace_surrogates(cell: str | None) -> str | None:
    """Bytes that could not be decoded become U+FFFD; they get here where broken_encoding is `warn`."""
    return cell if cell is None or encodable(cell) else SURROGATE.sub("\ufffd", cell)
