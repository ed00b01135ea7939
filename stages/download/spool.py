"""Turn records into rows: renamed, checked one by one, and kept on disk until all of them are known."""

import hashlib
import logging
import re
import unicodedata
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.download.checks.rules import Checks, Place
from stages.download.labels import rename
from stages.download.readers.layout import Record, encodable
from stages.errors import DataError

BATCH = 10_000  # rows
PROGRESS = 100_000  # rows between two lines of the log
logger = logging.getLogger(__name__)

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # all but tab and line ends
SURROGATE = re.compile("[\ud800-\udfff]")
SPOOLED = ("id", "text", "text_pair", "label", "group", "split")


@dataclass(frozen=True)
class InputFile:
    """Rows on disk; `split` and `label` hold for all of them."""

    name: str
    records: Iterable[Record]
    columns: Collection[str]  # fields of a record that this file has
    split: str | None = None
    label: str | None = None


@dataclass
class Spool:
    """The rows that can be used so far: on disk what is long, in memory what the checks over all rows need."""

    path: Path
    kept: Sequence[str] = ()  # further columns
    files: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)  # rows read, by file
    _file: "array[int]" = field(default_factory=lambda: array("i"))
    _row: "array[int]" = field(default_factory=lambda: array("q"))
    _text_key: "array[int]" = field(default_factory=lambda: array("q"))
    _exact_key: "array[int]" = field(default_factory=lambda: array("q"))
    _label: "array[int]" = field(default_factory=lambda: array("i"))
    labels: dict[str, int] = field(default_factory=dict)

    def add(self, record: Record, label: str) -> None:
        """Remember where a row stands, its texts' hashes and its label."""
        self._file.append(len(self.files) - 1)
        self._row.append(record.row)
        self._text_key.append(text_hash(normalise(record.text), normalise(record.text_pair)))
        self._exact_key.append(text_hash(record.text, record.text_pair))
        self._label.append(self.labels.setdefault(label, len(self.labels)))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Read the rows again, in their order."""
        with pa.OSFile(str(self.path)) as file, pa.ipc.open_stream(file) as stream:
            yield from stream

    @property
    def schema(self) -> pa.Schema:
        """Of the batches."""
        return pa.schema([(name, pa.string()) for name in (*SPOOLED, *self.kept)])

    def place(self, position: int) -> Place:
        """Return where the row at `position` was read."""
        return Place(self.files[self._file[position]], self._row[position])

    @property
    def file(self) -> NDArray[np.int64]:
        """Index into `files` of each row's file; shape (rows,)."""
        return np.array(self._file, dtype=np.int64)

    @property
    def text_key(self) -> NDArray[np.int64]:
        """Equal for rows whose texts are equal but for case, width and blanks; shape (rows,)."""
        return np.array(self._text_key, dtype=np.int64)

    @property
    def exact_key(self) -> NDArray[np.int64]:
        """Equal for rows whose texts are equal; shape (rows,)."""
        return np.array(self._exact_key, dtype=np.int64)

    @property
    def label(self) -> NDArray[np.int64]:
        """Index into `labels`, in the order in which they were met; shape (rows,)."""
        return np.array(self._label, dtype=np.int64)


def spool_rows(
    files: Iterable[InputFile], path: Path, *, labels: Mapping[str, str], checks: Checks, kept: Sequence[str] = ()
) -> Spool:
    """Read all files, check each row by itself, and keep what can be used in `path`.

    Args:
        files: The files, in the order in which their rows are to stand.
        path: The file to write.
        labels: New name of each label value; empty: they stay as they are.
        checks: Where rows that can't be used go.
        kept: Fields of the further columns that each record has.

    Raises:
        DataError: A file has no rows.
    """
    spool, ids = Spool(path, kept), set[str]()
    with pa.ipc.new_stream(path, spool.schema) as writer:
        for file in files:
            spool.files.append(file.name)
            spool.counts.append(0)
            rows = _rows(file, spool, labels, checks, ids)
            while batch := list(islice(rows, BATCH)):
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=spool.schema))
                if spool.counts[-1] >= PROGRESS and spool.counts[-1] % PROGRESS < BATCH:
                    logger.info("%s: %d rows read", file.name, spool.counts[-1])
            if not spool.counts[-1]:
                raise DataError(f"{file.name} has no rows. Give a file with rows.")
    return spool


def _rows(
    file: InputFile, spool: Spool, labels: Mapping[str, str], checks: Checks, ids: set[str]
) -> Iterator[dict[str, Any]]:
    """Yield what stands in the spool for each record that can be used."""
    for raw in file.records:
        spool.counts[-1] += 1
        value = (file.label if file.label is not None else raw.label or "").strip()
        label = _mended(rename(value, labels))
        stays = True
        for rule, detail in _problems(raw, value, label, file.columns, ids):
            stays &= checks.note(rule, Place(file.name, raw.row, raw.id, raw.text), detail)
            if checks.policy(rule) == "set_aside":
                break  # once: what else is wrong with it does not matter any more
        if not stays:
            continue
        record = raw._replace(
            text=_mended(raw.text), text_pair=_mended(raw.text_pair), id=_mended(raw.id), group=_mended(raw.group)
        )
        spool.add(record, label or "")
        if record.id:
            ids.add(record.id)
        yield {
            "id": record.id,
            "text": record.text or "",
            "text_pair": (record.text_pair or "") if "text_pair" in file.columns else None,
            "label": label,
            "group": record.group or None,
            "split": file.split,
            **{name: (_mended(cell) or "").strip() or None for name, cell in zip(spool.kept, raw.kept, strict=True)},
        }


def _problems(
    record: Record, value: str, label: str | None, columns: Collection[str], ids: Collection[str]
) -> Iterator[tuple[str, str]]:
    """The rules that the record breaks, each with what a message adds."""
    if record.problem:
        yield "malformed_row", record.problem
        return
    cells = (record.text, record.text_pair, value, record.id, record.group, *record.kept)
    if not all(encodable(cell) for cell in cells if cell):
        yield "broken_encoding", ""
    if not record.text or record.text.isspace():
        yield "empty_text", ""
    if "text_pair" in columns and (not record.text_pair or record.text_pair.isspace()):
        yield "empty_text", "text_pair"
    if not value:
        yield "missing_label", ""
    elif label is None:
        yield "unknown_label", value
    if "id" in columns and not record.id:
        yield "missing_id", ""
    elif record.id in ids:
        yield "duplicate_id", ""
    if CONTROL.search(record.text or "") or CONTROL.search(record.text_pair or ""):
        yield "control_characters", ""


def _mended(cell: str | None) -> str | None:
    """Where broken encodings are only warned of, what is no character becomes U+FFFD."""
    return cell if cell is None or encodable(cell) else SURROGATE.sub("\ufffd", cell)


def text_hash(text: str | None, pair: str | None) -> int:
    """Return a 64-bit hash of a text, or of two, that is the same on every machine."""
    whole = (text or "") if pair is None else f"{text}\x1f{pair}"
    return int.from_bytes(hashlib.blake2b(whole.encode(), digest_size=8).digest(), "big", signed=True)


def normalise(text: str | None) -> str | None:
    """Make texts equal that differ in case, width or blanks alone."""
    if text is None:
        return None
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())
