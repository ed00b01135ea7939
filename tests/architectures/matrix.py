"""An architecture, method by method: trained by the stages, saved, and compared with what plain transformers answers.

The outside truth is plain transformers with one text at a time, where nothing is padded. Every other way to ask must
give the same log probabilities: transformers' pipeline with one and two texts at a time, `Classifier` with one text and
with all, and the tokens of the stages in one batch.
"""

import functools
import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stages.download.encoder import copy_encoder
from stages.errors import RetuneError
from stages.finetune.__main__ import main as finetune
from stages.params import Params, read_params
from stages.paths import Paths
from stages.schema import Finetune
from stages.tokenize.__main__ import main as tokenize
from tests.architectures.answers import LABELS, SEED, packs, same_answers, same_embeddings, same_packed
from tests.architectures.models import ARCHITECTURES, Architecture, save_encoder
from tests.architectures.tokenizers import POSITIONS, sample_texts

METHODS = ("full", "frozen", "partial", "gradual", "lora")
COLUMNS = (*METHODS, "pairs", "packed", "embed")
ROWS, VAL_ROWS = 40, 8
DEFAULT = Path(__file__).parents[2] / "recipes/default.yaml"


@dataclass(frozen=True)
class Cell:
    """What became of one architecture with one method.

    Args:
        result: right | alone (right, but transformers' own answers depend on padding) | refused (in one
            line, before training) | padded (rows are not packed) | wrong.
        why: The line of a refusal, or what is wrong; why padding counts.
    """

    result: str
    why: str = ""


NOT_TRAINED = Cell("wrong", "no method trains it")


def try_architecture(name: str, folder: Path, columns: Sequence[str] = COLUMNS) -> dict[str, Cell]:
    """Return the cells of an architecture, by column; `folder` is an empty one to work in."""
    source = folder / "source"
    _params("full")  # an error in the recipes is no refusal of the architecture
    save_encoder(name, source)
    cells: dict[str, Cell] = {}
    single, pairs = Paths(folder / "single"), Paths(folder / "pairs")
    if (refusal := _attempt(lambda: _prepare(single, source, name, pairs=False))) is not None:
        return dict.fromkeys(columns, refusal)
    made = ARCHITECTURES[name]
    for method in METHODS:
        if method in columns:
            cells[method] = _train_and_compare(single, method, made)
        if "embed" in columns and "embed" not in cells and single.finetuned(SEED).is_dir():
            cells["embed"] = _attempt(lambda: same_embeddings(single)) or Cell("right")
    if "pairs" in columns:
        refusal = _attempt(lambda: _prepare(pairs, source, name, pairs=True))
        cells["pairs"] = refusal or _train_and_compare(pairs, "full", made)
    if "packed" in columns:
        cells["packed"] = _packed([paths for paths in (single, pairs) if paths.finetuned(SEED).is_dir()])
    return {column: cells.get(column, NOT_TRAINED) for column in columns}


def texts_of(*, pairs: bool) -> list[Any]:
    """Return texts, or pairs of texts, of different lengths: one word to more than the models read."""
    chance = random.Random(0)
    words = [word for text in sample_texts() for word in text.split()]

    def text(most: int) -> str:
        start = chance.randrange(len(words) - 100)
        return " ".join(words[start : start + chance.randint(1, most)])

    rows: list[Any] = [(text(6), text(6)) if pairs else text(12) for _ in range(ROWS + VAL_ROWS)]
    long = " ".join(words[:70])
    rows[0] = ("Good app", long) if pairs else long
    return rows


@functools.cache
def _params(method: str) -> Params:
    defaults = read_params(DEFAULT)
    changes = {"method": method, "max_epochs": 2 if method == "gradual" else 1, "frozen_layers": 1, "batch_size": 8}
    changes |= {"accelerator": "cpu", "learning_rate": 5e-3, "patience": None}
    options = Finetune.model_validate(defaults.finetune.model_dump() | changes)
    tokens = defaults.tokenize.model_copy(update={"max_length": POSITIONS})
    return defaults.model_copy(update={"finetune": options, "tokenize": tokens})


def _prepare(paths: Paths, source: Path, name: str, *, pairs: bool) -> None:
    """Do what the stages before finetune do: the encoder is checked and copied, the rows are tokenized."""
    paths.encoder.mkdir(parents=True)
    copy_encoder(source, paths.encoder, source=name, sha256=None, revision=None)
    _write_rows(paths, texts_of(pairs=pairs), pairs=pairs)
    paths.tokens.parent.mkdir(parents=True)
    tokenize(_params("full"), paths)


def _write_rows(paths: Paths, texts: Sequence[Any], *, pairs: bool) -> None:
    count = len(texts)
    columns = {
        "id": pa.array([f"r{row}" for row in range(count)]),
        "text": pa.array([text[0] if pairs else text for text in texts]),
        "text_pair": pa.array([text[1] if pairs else None for text in texts], pa.string()),
        "label": pa.array([LABELS[row % len(LABELS)] for row in range(count)]),
        "group": pa.nulls(count, pa.string()),
        "split": pa.nulls(count, pa.string()),
        "text_key": pa.array(range(count), pa.int64()),
        "cluster": pa.nulls(count, pa.int64()),
    }
    paths.dataset.mkdir(parents=True)
    pq.write_table(pa.table(columns, metadata={"labels": json.dumps(LABELS)}), paths.rows)
    paths.split("train").parent.mkdir(parents=True)
    for split, rows in (("train", range(ROWS)), ("val", range(ROWS, count))):
        pq.write_table(pa.table({"position": pa.array(rows, pa.int64())}), paths.split(split))


def _attempt(step: Callable[[], str | None]) -> Cell | None:
    """Return what went wrong in a step, or None; a step may return a fault that it found."""
    try:
        fault = step()
    except RetuneError as error:
        line = " ".join(str(error).split())
        return Cell("refused", line)
    except Exception as error:  # noqa: BLE001  # of any class: the table names it
        return Cell("wrong", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
    return None if fault is None else Cell("wrong", fault)


def _train_and_compare(paths: Paths, method: str, made: Architecture) -> Cell:
    shutil.rmtree(paths.finetuned(SEED), ignore_errors=True)
    refusal = _attempt(lambda: finetune(_params(method), paths, SEED) and None)
    if refusal is not None:
        return refusal if refusal.result == "refused" else Cell("wrong", f"training: {refusal.why}")
    fault = _attempt(lambda: same_answers(paths, padding_counts=bool(made.alone)))
    if fault is None:
        return Cell("alone", made.alone) if made.alone else Cell("right")
    return Cell("wrong", fault.why if fault.result == "wrong" else f"refused after training: {fault.why}")


def _packed(projects: Sequence[Paths]) -> Cell:
    if not projects or not all(packs(paths) for paths in projects):
        return Cell("padded")
    faults = (_attempt(lambda: same_packed(paths)) for paths in projects)  # noqa: B023  # called at once
    return next((fault for fault in faults if fault is not None), Cell("right"))
