"""The decisions in the file of corrections: each is written at once, whatever else writes to the file."""

import contextlib
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from pipeline.review.rows import DataSet, ReviewRow
from stages.corrections import (
    TIME,
    Correction,
    latest_of_each,
    read_corrections,
    with_points,
    write_corrections,
)
from stages.errors import RetuneError
from stages.files import discard_half_file, follow_link
from stages.spelling_key import spelling_key

CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # and halves of characters, which UTF-8 lacks
LOCK = ".retune/corrections.lock"


class Said(NamedTuple):
    """What a decision says."""

    decision: str
    new_label: str
    note: str


NOTHING = Said("", "", "")  # where there is no decision


class Wish(NamedTuple):
    """What a file decides about a row."""

    row: ReviewRow
    decision: str
    new_label: str = ""
    note: str = ""
    exported: Said | None = NOTHING  # what was decided when the file was written, from `said`; None: unknown


class Added(NamedTuple):
    """What became of many decisions, by the ids of their rows."""

    new: list[str]
    stayed: list[str]  # decided otherwise, or with another note, by somebody else since the file was written
    replaced: list[str]  # as new, but maybe decided by somebody else since, which the file does not say
    unchanged: list[str]  # as when the file was written, but decided otherwise since by whoever imports it


class ChangedMeanwhileError(RetuneError):
    """Somebody else decided about the row meanwhile."""


class Decisions:
    """What is decided about rows.

    Args:
        root: The project's folder.
        data: What the rows belong to. It names the file, which is made where it is missing. Where a link leads to a
            file outside of the project, other projects may share it: its lock is that of the project that it lies in,
            else beside it.
        who: Decides.

    Raises:
        DataError: The corrections are a link into a folder that is missing.
        OSError: They can't be written.
    """

    def __init__(self, root: Path, data: DataSet, *, who: str) -> None:
        self.path, self.who, self._data = data.corrections, who, data
        self._file, self._thread = follow_link(root / self.path), threading.Lock()
        folders = self._file.resolve().parents
        home = next((folder for folder in folders if folder == root.resolve() or (folder / "dvc.yaml").is_file()), None)
        self._lock = home / LOCK if home else self._file.with_name(f".{self._file.name}.lock")
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            discard_half_file(self._file)
            if not self._file.exists():
                write_corrections(self._file, [])

    def read(self) -> dict[str, Correction]:
        """Return the latest decision about each row, by its id."""
        return latest_of_each(self._read())

    def of(self, rows: Sequence[ReviewRow]) -> dict[str, Correction]:
        """Return the decisions about these rows that still apply, by id."""
        last = self.read()
        return {row.id: last[row.id] for row in rows if row.id in last and applies(last[row.id], row)}

    def decide(
        self, row: ReviewRow, decision: str, new_label: str = "", *, note: str = "", seen: tuple[str, str] | None
    ) -> Correction:
        """Write a decision about a row, in the place of the one before.

        Args:
            row: The row.
            decision: One of `DECISIONS`; the row's own label is kept, not relabelled.
            new_label: For `relabel`.
            note: For people.
            seen: The decision and the new label that the person saw; None: that there is none.

        Raises:
            ChangedMeanwhileError: There is another one by now.
        """
        correction = self._correction(row, decision, new_label, note)
        with self._alone():
            self._write(self._without_change(row, seen), {row.id: correction})
        return correction

    def forget(self, row: ReviewRow, *, seen: tuple[str, str] | None) -> None:
        """Remove the decision about a row. Raises as `decide`."""
        with self._alone():
            corrections = self._without_change(row, seen)
            write_corrections(self._file, [correction for correction in corrections if correction.id != row.id])

    def add(self, wishes: Sequence[Wish]) -> Added:
        """Write those of many decisions at once that were made since their file was written.

        What stood in the file already is no new decision, and one that somebody else has made since stays; where that
        one says the same, a note is added to it. Whoever imports a file may replace decisions of their own, such as
        those of an earlier import.
        """
        changed: dict[str, Correction] = {}
        added = Added([], [], [], [])
        with self._alone():
            before = self._read()
            last = latest_of_each(before)
            for row, decision, new_label, note, as_exported in wishes:
                wish, now = self._correction(row, decision, new_label, note), last.get(row.id)
                now = now if now and applies(now, row) else None
                new, old = (said(one, row.source_label, self._data) if one else NOTHING for one in (wish, now))
                by_other = now is not None and now.who != self.who and old != as_exported
                same = new[:2] == old[:2]
                if new == old or (by_other and same and not new.note):
                    continue
                if new == as_exported:
                    if now is not None and not by_other and old != as_exported:
                        added.unchanged.append(row.id)
                    continue
                if by_other and as_exported is not None and (old.note or not same):
                    added.stayed.append(row.id)
                    continue
                changed[row.id] = wish
                added.new.append(row.id)
                if by_other and as_exported is None:
                    added.replaced.append(row.id)
            self._write(before, changed)
        return added

    def _read(self) -> list[Correction]:
        return [with_points(one, self._data.rows) for one in read_corrections(self._file, name=self.path)]

    def _correction(self, row: ReviewRow, decision: str, new_label: str, note: str) -> Correction:
        if decision == "relabel" and new_label == row.source_label:
            decision = "keep"
        new_label = new_label if decision == "relabel" else ""
        now = datetime.now(UTC).strftime(TIME)
        return Correction(row.id, row.text_hash, row.source_label, decision, new_label, self.who, now, in_line(note))

    def _without_change(self, row: ReviewRow, seen: tuple[str, str] | None) -> list[Correction]:
        """Return all corrections, if that of the row is the one that was seen."""
        corrections = self._read()
        last = latest_of_each(corrections).get(row.id)
        now = (last.decision, last.new_label) if last and applies(last, row) else None
        if now != seen:
            raise ChangedMeanwhileError(f"The decision about {row.id} has changed meanwhile. Look at it again.")
        return corrections

    def _write(self, corrections: Sequence[Correction], changed: Mapping[str, Correction]) -> None:
        """Write all corrections, one line a row, each changed one in the place of the row's first, new ones last."""
        lines = {**latest_of_each(corrections), **changed}
        write_corrections(self._file, lines.values())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep out other threads and other processes, of other people too."""
        with self._thread, FileLock(self._lock, mode=0o666):
            yield


def applies(correction: Correction, row: ReviewRow) -> bool:
    """Whether a correction is about the row as it is: its text, and its label in the source."""
    same_label = spelling_key(correction.old_label) == spelling_key(row.source_label)
    return correction.text_hash == row.text_hash and same_label


def said(decided: Correction | Said, source_label: str, data: DataSet) -> Said:
    """Return what a decision says, equal for each way of saying it: `1.0` is 1, and the source's label is kept."""
    decision, label, note = decided.decision, decided.new_label, in_line(decided.note)
    label = (data.known_label(label) or label) if label else ""
    if decision == "relabel" and label == (data.known_label(source_label) or source_label):
        decision, label = "keep", ""
    return Said(decision, label, note)


def exported(correction: Correction | None) -> str:
    """Return what a decision says, as an export tells the import; empty where there is none.

    In brackets, it is a text to any spreadsheet program.
    """
    texts = correction and (correction.decision, correction.new_label, in_line(correction.note))
    return json.dumps(texts, ensure_ascii=False) if texts else ""


def read_exported(text: str) -> Said:
    """Return what `exported` wrote; an edited text says what no decision does."""
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        return Said(*map(str, json.loads(text)))
    return Said(text, "", "")


def in_line(note: str) -> str:
    """Return a note in one line, because git joins branches by lines, and without what makes a program misread it."""
    return CONTROLS.sub("", " ".join(note.split()))
