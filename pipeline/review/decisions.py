"""The decisions in the file of corrections: each is written at once, whatever else writes to the file."""

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


class Wish(NamedTuple):
    """What a file decides about a row."""

    row: ReviewRow
    decision: str
    new_label: str = ""
    note: str = ""
    exported: str | None = ""  # from `exported` of the decision when the file was written; None: unknown


class Added(NamedTuple):
    """What became of many decisions, by the ids of their rows."""

    new: list[str]
    stayed: list[str]  # decided otherwise by somebody else since the file was written
    replaced: list[str]  # as new, but maybe decided by somebody else since, which the file does not say


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
        self.path, self.who, self._kind = data.corrections, who, data.rows
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

        What stood in the file already is no new decision, and one that somebody else has made since stays. Whoever
        imports a file may replace decisions of their own, such as those of an earlier import.
        """
        changed: dict[str, Correction] = {}
        added = Added([], [], [])
        with self._alone():
            before = self._read()
            last = latest_of_each(before)
            for row, decision, new_label, note, exported_before in wishes:
                wish, now = self._correction(row, decision, new_label, note), last.get(row.id)
                now = now if now and applies(now, row) else None
                if exported(wish) in (exported_before, exported(now)):
                    continue
                by_other = now is not None and now.who != self.who and exported(now) != exported_before
                if by_other and exported_before is not None:
                    added.stayed.append(row.id)
                    continue
                changed[row.id] = wish
                added.new.append(row.id)
                if by_other:
                    added.replaced.append(row.id)
            self._write(before, changed)
        return added

    def _read(self) -> list[Correction]:
        return [with_points(one, self._kind) for one in read_corrections(self._file, name=self.path)]

    def _correction(self, row: ReviewRow, decision: str, new_label: str, note: str) -> Correction:
        if decision == "relabel" and new_label == row.source_label:
            decision = "keep"
        new_label = new_label if decision == "relabel" else ""
        now = datetime.now(UTC).strftime(TIME)
        # one line of the file, because git joins branches by lines; without what makes a program misread the file
        line = CONTROLS.sub("", " ".join(note.split()))
        return Correction(row.id, row.text_hash, row.source_label, decision, new_label, self.who, now, line)

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


def exported(correction: Correction | None) -> str:
    """Return what a decision says, as an export tells the import; empty where there is none."""
    return text_of(correction.decision, correction.new_label, correction.note) if correction else ""


def text_of(decision: str, new_label: str, note: str) -> str:
    """Return a decision as one text; in brackets, it is a text to any spreadsheet program."""
    return json.dumps([decision, new_label, " ".join(note.split())], ensure_ascii=False)
