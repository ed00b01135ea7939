"""docs/architectures.md: the cells of a whole run as a table for people, and read again by a test."""

import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from tests.architectures.matrix import COLUMNS, Cell
from tests.architectures.models import LEFT_OUT

PAGE = Path(__file__).parents[2] / "docs/architectures.md"
MARKS = {"right": "✓", "alone": "✓ alone", "padded": "padded", "refused": "refused", "wrong": "wrong"}
Cells = Mapping[str, Mapping[str, Cell]]


def render(cells: Cells) -> str:
    """Return the page for the cells of each architecture, by its name and column."""
    notes = _notes(cells)
    header = " | ".join(("architecture", *COLUMNS))
    rows = [
        f"| {name} | {' | '.join(_shown(cells[name][column], name, notes) for column in COLUMNS)} |"
        for name in sorted(cells)
    ]
    versions = ", ".join(f"{package} {version(package)}" for package in ("transformers", "tokenizers", "torch", "peft"))
    return TEMPLATE.format(
        counts=_counts(cells),
        versions=versions,
        table="\n".join((f"| {header} |", "|---" * (len(COLUMNS) + 1) + "|", *rows)),
        notes="\n".join(f"{number}. {why}" for why, number in notes.items()),
        left_out="\n".join(f"- {line}" for line in _left_out()),
    )


def read(page: Path = PAGE) -> dict[str, dict[str, str]]:
    """Return the mark of each cell on the page, by architecture and column."""
    lines = re.findall(r"^\| (.+) \|$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    tables = [line.split(" | ") for line in lines]
    header = next(cells for cells in tables if cells[0] == "architecture")
    rows = (cells for cells in tables if len(cells) == len(header) and cells[0] != "architecture")
    return {row[0]: dict(zip(header[1:], (_mark(text) for text in row[1:]), strict=True)) for row in rows}


def _mark(text: str) -> str:
    return re.sub(r" \[.*", "", text)


def _shown(cell: Cell, name: str, notes: Mapping[str, int]) -> str:
    number = notes.get(_general(cell, name))
    return MARKS[cell.result] + (f" [{number}](#notes)" if number else "")


def _general(cell: Cell, name: str) -> str:
    """The reason without the architecture's name and the list of its layers, so that like ones are one note."""
    return re.sub(r", from \[.*?\]", "", re.sub(rf"\b{re.escape(name)}\b", "NAME", cell.why))


def _notes(cells: Cells) -> dict[str, int]:
    reasons = dict.fromkeys(
        _general(cells[name][column], name) for name in sorted(cells) for column in COLUMNS if cells[name][column].why
    )
    return {why: number for number, why in enumerate(reasons, 1)}


def _counts(cells: Cells) -> str:
    tried = [cell.result for name in cells for column, cell in cells[name].items() if column != "packed"]
    return (
        f"{len(cells)} architectures and {len(tried)} cells without packing: {tried.count('right')} right, "
        f"{tried.count('alone')} right alone, {tried.count('refused')} refused, {tried.count('wrong')} wrong"
    )


def _left_out() -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for name, why in LEFT_OUT.items():
        by_reason.setdefault(why, []).append(name)
    return [f"{', '.join(sorted(names))}: {why}" for why, names in by_reason.items()]


TEMPLATE = """# Which architectures work

Made by `make test-architectures`, with {versions}. Do not edit it.

Each row is one of the text classifiers of transformers, as a random encoder of two layers with a tokenizer of the kind
that it uses. Each `finetune.method` trained it on 40 short texts, by the stages themselves. The saved folder was then
asked five ways: by transformers' `pipeline` with one and with two texts at a time, by `Classifier` with one text and
with all, and by `evaluate`. All must give the log probabilities that plain transformers gives for each text alone, to
1e-5.

{counts}.

| mark | meaning |
|---|---|
| ✓ | right: the same answer, alone and beside other texts |
| ✓ alone | right, but transformers itself answers otherwise when it pads. Ask its `pipeline` with `batch_size=1` |
| padded | rows are padded on a GPU as well: the architecture has no packed form here |
| refused | refused in one line, before anything is spent on it |
| wrong | don't use it; the note says what is wrong |

`pairs` is `full` with pairs of texts. `packed` compares rows in one sequence, as a GPU computes them, with padded ones.
`embed` compares `retune embed` with the mean of transformers' last layer.

{table}

## Notes

{notes}

## Untried

`download@model` warns of an architecture that is not in the table. transformers also has these:

{left_out}
"""
