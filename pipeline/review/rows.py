"""The rows that a person reviews: those of suspects.csv, with what is known about each."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.review.kinds import KINDS, ReviewedKind, Suspects
from pipeline.review.row_texts import RowTexts
from pipeline.review.suspects import read_lines
from stages.corrections import SOURCE_LABELS, text_hash
from stages.errors import DataError
from stages.files import read_json
from stages.params import read_params
from stages.paths import Paths
from stages.predictions import read_predictions
from stages.reading.label_sets import parse_set, set_text, text_of_separated
from stages.shown import spreadsheet_safe, visible
from stages.spelling_key import by_spelling, finder, spelling_key
from stages.targets.rows import ROWS, Rows, read_rows_target
from stages.targets.target import Target

NUMBER_WITH_COMMA = re.compile(r"[+-]?\d+,\d+")
MOST_NEIGHBOURS = 5  # near-duplicates that are shown of a row


@dataclass(frozen=True)
class Neighbour:
    """A row with the same or nearly the same text and another label."""

    id: str
    text: str
    label: str


@dataclass(frozen=True)
class ReviewRow:
    """A row that is in doubt.

    Attributes:
        id: Of the row.
        text: Its text.
        text_pair: Its second text; None for rows of one text.
        text_hash: Of its texts.
        label: Its label, as stored.
        source_label: Its label in the source, which differs where a correction applies.
        suggested: The label that models suggest that were not trained on the row.
        doubt: The probabilities of the label and of the suggested one; None where the kind of target has none.
        probabilities: Of each label, by the models of all seeds, calibrated; empty where they are unknown.
        neighbours: Rows with the same or nearly the same text and another label.
    """

    id: str
    text: str
    text_pair: str | None
    text_hash: str
    label: str
    source_label: str
    suggested: str
    doubt: tuple[float, float] | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    neighbours: Sequence[Neighbour] = ()


class DataSet:
    """The rows of the last run: what a decision is checked against.

    Args:
        root: The project's folder.

    Attributes:
        target: What the labels are.
        kind: How labels are chosen and shown.
        rows: How labels are stored.
        corrections: Path of the corrections, relative to `root`.
        texts: Of all rows.

    Raises:
        DataError: There are no rows yet.
    """

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        if not self.paths.rows.is_file():
            raise DataError(f"{Paths().rows} is missing. Make it with: retune run (or dvc pull)")
        params = read_params(self.paths.params)
        self.corrections, self.seeds = params.download.dataset.corrections, params.seeds
        self._separator = params.download.dataset.label_separator
        self.target: Target = read_rows_target(self.paths.rows)
        self.kind: ReviewedKind = KINDS[self.target.kind]
        self.rows: Rows = ROWS[self.target.kind]
        names = ["id", "text", "text_pair", "label", "text_key", "cluster"]
        self.table: pa.Table = pq.read_table(self.paths.rows, columns=names)
        self.texts = RowTexts(self.table)
        self.position = {row_id: number for number, row_id in enumerate(self.table["id"].to_pylist())}
        self.labels: set[str] = set(pc.unique(self.table["label"]).to_pylist())
        metadata = self.table.schema.metadata or {}
        self._source_labels: dict[str, str] = json.loads(metadata.get(SOURCE_LABELS, b"{}"))

    def row(self, row_id: str, **known: Any) -> ReviewRow:
        """Return a row by its id, with what else is known of it; without a suggestion, its own label stands there."""
        values = self.table.slice(self.position[row_id], 1).to_pylist()[0]
        label = values["label"]
        return ReviewRow(
            row_id,
            values["text"],
            values["text_pair"],
            text_hash(values["text_key"]),
            label,
            self._source_labels.get(row_id, label),
            **({"suggested": label} | known),
        )

    def known_label(self, label: str, *, decimal_comma: bool = False) -> str | None:
        """Return a label that a person gave in any spelling, as rows.parquet has it; None where a row can't have it.

        Several labels are a JSON list, or as the source has them: one, or with `download.dataset.label_separator`.

        Args:
            label: The label.
            decimal_comma: Whether it is from a file in which 12,5 is 12.5.
        """
        if self.kind.choice == "several" and parse_set(label) is None:
            label = text_of_separated(label, self._separator) if self._separator else set_text([label])
        if label not in self.labels and decimal_comma and NUMBER_WITH_COMMA.fullmatch(label):
            return self._known(label.replace(",", "."))  # 5,0 is the class 5; 1,000 is 1
        return self._known(self.rows.with_point(label, decimal_comma=decimal_comma))

    def spelled_id(self, row_id: str) -> str | None:
        """Return the only id of which this is another spelling; None where there is none, or several."""
        return self._spelled_ids.get(spelling_key(row_id))

    @cached_property
    def _spelled_ids(self) -> dict[str, str]:
        return by_spelling(self.position)

    @cached_property
    def _known(self) -> Callable[[str], str | None]:
        return self.rows.known(self.labels, finder)

    def neighbours(self, row_id: str) -> list[Neighbour]:
        """Return rows with the same or nearly the same text and another label."""
        row = self.table.slice(self.position[row_id], 1)
        same = pc.equal(self.table["text_key"], row["text_key"][0])
        if row["cluster"][0].is_valid:
            same = pc.or_(same, pc.fill_null(pc.equal(self.table["cluster"], row["cluster"][0]), False))
        other = self.table.filter(pc.and_(same, pc.not_equal(self.table["label"], row["label"][0])))
        listed = other.slice(0, MOST_NEIGHBOURS).to_pylist()
        return [Neighbour(one["id"], _whole_text(one), one["label"]) for one in listed]


def read_suspects(data: DataSet) -> list[ReviewRow]:
    """Return the rows that suspects.csv lists, most suspicious first.

    Raises:
        DataError: There is no suspects.csv yet, it lacks a column, or it is damaged.
    """
    of_rows = _by_row(read_lines(data.paths.report / "suspects.csv", data.kind), data)
    probabilities = _probabilities(data, of_rows)
    unsafe = {spreadsheet_safe(visible(label)): label for label in data.target.labels}
    rows = []
    for row_id, lines in of_rows.items():
        lines = [{column: unsafe.get(cell, cell) for column, cell in line.items()} for line in lines]
        own = data.table["label"][data.position[row_id]].as_py()
        rows.append(
            data.row(
                row_id,
                suggested=data.kind.suggest(own, lines),
                doubt=data.kind.doubt(lines),
                probabilities=probabilities.get(row_id, {}),
                neighbours=data.neighbours(row_id),
            )
        )
    return rows


def _by_row(suspects: Iterable[Suspects], data: DataSet) -> dict[str, list[Suspects]]:
    """The lines about each row that is still there, by its id; those of the most suspicious row first."""
    ids = data.table["id"]
    safe: dict[str, str] | None = None
    rows: dict[str, list[Suspects]] = {}
    for line in suspects:
        position = int(line["position"])
        row_id = ids[position].as_py() if position < len(ids) else ""
        if spreadsheet_safe(visible(row_id)) != line["id"]:  # rows came or went since the report was written
            safe = safe or {spreadsheet_safe(visible(known)): known for known in data.position}
            row_id = safe.get(line["id"], "")
        if row_id:
            rows.setdefault(row_id, []).append(line)
    return rows


def _probabilities(data: DataSet, ids: Iterable[str]) -> dict[str, dict[str, float]]:
    """The mean over seeds of each label's calibrated probability, for rows of val and test, by id."""
    calibrate, wanted = data.kind.calibrate, set(ids)
    sums: dict[str, np.ndarray] = {}
    files = [path for seed in data.seeds if (path := data.paths.predictions(seed)).is_file()]
    if calibrate is None or not files:
        return {}
    for path in files:
        metrics = path.with_name("metrics.json")
        evaluation = read_json(metrics) if metrics.is_file() else {}
        temperature = float((evaluation.get("calibration") or {}).get("temperature") or 1.0)
        for split in read_predictions(path).values():
            calibrated = calibrate(split.probabilities, temperature)
            for row, row_id in enumerate(split.ids):
                if row_id in wanted:
                    sums[row_id] = sums.get(row_id, np.float32(0.0)) + calibrated[row] / len(files)
    return {
        row_id: dict(zip(data.target.labels, [round(float(value), 3) for value in mean], strict=True))
        for row_id, mean in sums.items()
        if len(mean) == len(data.target.labels)
    }


def _whole_text(row: Mapping[str, Any]) -> str:
    return "\n".join(filter(None, (row["text"], row["text_pair"])))
