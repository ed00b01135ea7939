"""A project as a run leaves it for a review: rows of any kind, suspects, and the probabilities of two seeds."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import recipes
from pipeline.review.decisions import Decisions
from pipeline.review.rows import DataSet
from stages.corrections import Correction, read_corrections
from stages.download.dataset import write_dataset
from stages.params import read_params
from stages.paths import Paths
from stages.predictions import Predictions, write_predictions
from stages.shown import spreadsheet_safe
from tests.pipeline import toy

ROOT = Path(__file__).parents[3]
HOSTILE = '<script>document.title = "stolen"</script><img src=x onerror="document.title=1">'
HOSTILE_CELL = '"' + HOSTILE.replace('"', '""') + '"'  # of CSV
TEXTS = [HOSTILE, "it works\nevery day", "never works", "=1+1", "never   WORKS", "fine", "so-so", "good", "bad", "slow"]
STARS = ["5", "1", "5", "2", "1", "4", "3", "5", "1", "2"]
SUSPECTS = [("r2", "1", 0.02, 0.91), ("r0", "1", 0.10, 0.80), ("r3", "5", 0.20, 0.60)]  # id, suggested, probabilities
SETS = ['["app"]', "[]", '["app", "pay"]', '["pay"]', "[]"]
NUMBERS = ["10", "20.5", "30", "40", "50"]


def create(
    root: Path,
    *,
    labels: Sequence[str] = STARS,
    target: str = "ordered",
    ids: Sequence[str] = (),
    stage: bool = True,
    pairs: bool = False,
) -> Path:
    """The project; `ids` name the first rows, else r0, r1 ...; `stage` False: as a clone has it, before any run.

    `pairs`: each row has a second text.
    """
    (root / "data").mkdir(parents=True)
    values = ["download.dataset.files=[{source: data/rows.jsonl}]", "download.dataset.folder=data", "seeds=[1, 2]"]
    values += [
        "download.dataset.checks.min_rows_per_label=1",
        "download.dataset.format=jsonl",
        f"download.dataset.target={target}",
    ]
    pair = "pair" if pairs else "null"
    columns = f"{{text: text, label: label, text_pair: {pair}, id: id, group: null, slices: []}}"
    values += [f"download.dataset.columns={columns}"]
    (root / "params.yaml").write_text(recipes.compose(ROOT, "default", values), encoding="utf-8")
    (root / "dvc.yaml").write_text("stages: {}\n")
    toy.git(root, "init", "-q")
    (root / ".dvc").mkdir()
    names = [*ids, *(f"r{row}" for row in range(len(ids), len(labels)))]
    rows = [
        {"id": names[row], "text": TEXTS[row], "label": label} | ({"pair": f"pair {row}"} if pairs else {})
        for row, label in enumerate(labels)
    ]
    (root / "data/rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    if stage:
        download(root)
    return root


def download(root: Path) -> Paths:
    """Run the stage again, so that corrections apply."""
    paths = Paths(root)
    paths.dataset.mkdir(parents=True, exist_ok=True)
    write_dataset(paths.dataset, read_params(paths.params).download.dataset, root=root, unpack_limit=10**6)
    return paths


def suspects_of_classes(root: Path, suspects: Sequence[tuple[str, str, float, float]] = SUSPECTS) -> None:
    """What report and evaluate wrote of classes."""
    columns = ("id", "position", "split", "label", "suggested", "given_probability", "suggested_probability")
    lines = [
        (row, row[1:], "test", STARS[int(row[1:])], suggested, given, other)
        for row, suggested, given, other in suspects
    ]
    write_suspects(root, columns, lines)
    for seed in (1, 2):
        probabilities = np.full((len(suspects), 5), 0.05, dtype=np.float32)
        probabilities[:, 0] = 0.8
        rows = np.array([int(row[0][1:]) for row in suspects])
        labels = np.array([int(STARS[row]) - 1 for row in rows])
        split = Predictions(rows, [row[0] for row in suspects], labels, probabilities, tokens=rows)
        nothing = Predictions(rows[:0], [], labels[:0], probabilities[:0], tokens=rows[:0])
        write_predictions(Paths(root).predictions(seed), {"val": nothing, "test": split})
        Paths(root).metrics(seed).write_text('{"calibration": {"temperature": 1.0}}')


def write_suspects(root: Path, columns: Sequence[str], lines: Sequence[Sequence[Any]]) -> None:
    path = Paths(root).report / "suspects.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([[spreadsheet_safe(str(cell)) for cell in line] for line in lines])


def opened(root: Path) -> tuple[DataSet, Decisions]:
    data = DataSet(root)
    return data, Decisions(root, data, who="a person")


def corrections(root: Path) -> list[Correction]:
    return read_corrections(root / "data/corrections.csv", name="data/corrections.csv")


def decided(root: Path) -> dict[str, tuple[str, str]]:
    return {correction.id: (correction.decision, correction.new_label) for correction in corrections(root)}
