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

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from stages.download.encoder import copy_encoder
from stages.errors import RetuneError
from stages.finetune.__main__ import main as finetune
from stages.inference import Classifier
from stages.inference.forward import logits_of
from stages.inference.loading import load_model, predict_tokens
from stages.model.layers import first_token
from stages.model.packed import attend_packed, can_pack
from stages.params import Params, read_params
from stages.paths import Paths
from stages.schema import Finetune
from stages.tokenize.__main__ import main as tokenize
from stages.tokens import open_tokens
from tests.architectures.models import ARCHITECTURES, Architecture, save_encoder
from tests.architectures.tokenizers import POSITIONS, sample_texts

METHODS = ("full", "frozen", "partial", "gradual", "lora")
COLUMNS = (*METHODS, "pairs", "packed", "embed")
LABELS = ["bad", "fair", "good"]
ROWS, VAL_ROWS = 40, 8
SEED = 1
TOLERANCE = 1e-5  # between log probabilities; of embeddings, relative to the largest number
LEAST_SPREAD = 1e-3  # between the log probabilities of different texts: a model that answers the same shows nothing
DEFAULT = Path(__file__).parents[2] / "recipes/default.yaml"
Values = NDArray[np.float64]


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
            cells["embed"] = _attempt(lambda: _same_embeddings(single)) or Cell("right")
    if "pairs" in columns:
        refusal = _attempt(lambda: _prepare(pairs, source, name, pairs=True))
        cells["pairs"] = refusal or _train_and_compare(pairs, "full", made)
    if "packed" in columns:
        cells["packed"] = _packed([paths for paths in (single, pairs) if paths.finetuned(SEED).is_dir()], TOLERANCE)
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
    fault = _attempt(lambda: _same_answers(paths, made))
    if fault is None:
        return Cell("alone", made.alone) if made.alone else Cell("right")
    return Cell("wrong", fault.why if fault.result == "wrong" else f"refused after training: {fault.why}")


def _rows_of(paths: Paths) -> tuple[list[Any], bool]:
    table = pq.read_table(paths.rows)
    texts, seconds = (table.column(name).to_pylist() for name in ("text", "text_pair"))
    pairs = seconds[0] is not None
    return (list(zip(texts, seconds, strict=True)) if pairs else texts), pairs


@torch.inference_mode()
def _plain(paths: Paths) -> tuple[Any, Any, Values]:
    """Return plain transformers' tokenizer and model, and their log probabilities, one text at a time."""
    folder = paths.finetuned(SEED)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    texts, pairs = _rows_of(paths)
    logits = []
    for text in texts:
        encoded = tokenizer(*text if pairs else [text], truncation=True, return_tensors="pt")
        logits.append(model(**encoded).logits[0])
    return tokenizer, model, torch.stack(logits).double().log_softmax(-1).numpy()


def _same_answers(paths: Paths, made: Architecture) -> str | None:
    """Return which way to ask the saved model gives another answer than plain transformers, and by how much."""
    tokenizer, model, expected = _plain(paths)
    texts, pairs = _rows_of(paths)
    if not np.isfinite(expected).all():
        return "plain transformers answers NaN"
    if np.ptp(expected, axis=0).max() < LEAST_SPREAD:
        return "the same answer for every text"
    columns: Any = list(zip(*texts, strict=True)) if pairs else [texts]
    classifier = Classifier.load(paths.finetuned(SEED))

    def alone() -> Values:
        return np.concatenate(
            [classifier.probabilities(*([part] for part in row)) for row in zip(*columns, strict=True)]
        )

    def in_pipeline(batch_size: int) -> Values:
        pipe = pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu", top_k=None)
        asked = [{"text": text[0], "text_pair": text[1]} for text in texts] if pairs else texts
        answers = pipe(asked, batch_size=batch_size, truncation=True, function_to_apply="softmax")
        scores = [{answer["label"]: answer["score"] for answer in row} for row in answers]
        return np.array([[row[label] for label in LABELS] for row in scores])

    def of_tokens() -> Values:
        loaded = load_model(paths.finetuned(SEED))
        return predict_tokens(loaded, open_tokens(paths.tokens), np.arange(len(texts)), batch_size=len(texts))

    ways: dict[str, Callable[[], Values]] = {
        "Classifier, one text": alone,
        "Classifier, all texts": lambda: classifier.probabilities(*map(list, columns)),
        "evaluate": of_tokens,
        "pipeline": lambda: in_pipeline(1),
    }
    in_batches = {"pipeline, batches of 2": lambda: in_pipeline(2)}
    if not made.alone:
        return _differences(ways | in_batches, expected)
    if _differences(in_batches, expected) is None:
        return "padding does not change the answers of transformers: this is no architecture that is right alone"
    return _differences(ways, expected)


def _differences(ways: dict[str, Callable[[], Values]], expected: Values) -> str | None:
    faults = []
    for way, answers in ways.items():
        try:
            difference = float(np.abs(np.log(answers()) - expected).max())
        except Exception as error:  # noqa: BLE001  # of any class: the table names it
            faults.append(f"{way}: {type(error).__name__}: {' '.join(str(error).split())[:120]}")
            continue
        if not difference <= TOLERANCE:
            faults.append(f"{way}: differs by {difference:.1g}")
    return "; ".join(faults) or None


@torch.inference_mode()
def _same_embeddings(paths: Paths) -> str | None:
    """Return what is wrong with embeddings: others in a batch, or not the mean of plain transformers' last layer."""
    texts, _ = _rows_of(paths)
    classifier = Classifier.load(paths.finetuned(SEED))
    together, alone = classifier.embed(texts), np.concatenate([classifier.embed([text]) for text in texts])
    scale = max(1.0, float(np.abs(alone).max()))
    if (difference := float(np.abs(together - alone).max())) > TOLERANCE * scale:
        return f"an embedding differs by {difference:.1g} in a batch"
    tokenizer, model, _ = _plain(paths)
    if model.config.is_encoder_decoder:
        return None
    means = [
        model.base_model(**tokenizer(text, truncation=True, return_tensors="pt")).last_hidden_state[0].mean(0).numpy()
        for text in texts
    ]
    if (difference := float(np.abs(np.stack(means) - alone).max())) > TOLERANCE * scale:
        return f"an embedding differs by {difference:.1g} from the mean of transformers' last layer"
    return None


def _packed(projects: Sequence[Paths]) -> Cell:
    """Compare packed and padded forward passes on this CPU; on a GPU the same batches go to a kernel of its own."""
    for paths in projects:
        model = load_model(paths.finetuned(SEED))
        if not can_pack(model):
            return Cell("padded")
        tokens = open_tokens(paths.tokens)
        batch = tokens.pad(np.arange(len(tokens)), pad_token_id=int(model.config.pad_token_id or 0))
        expected = logits_of(model, batch).log_softmax(-1)
        attend_packed(model)
        with first_token(model):
            difference = float((logits_of(model, batch).log_softmax(-1) - expected).abs().max())
        if not difference <= TOLERANCE:
            return Cell("wrong", f"packed rows differ by {difference:.1g}")
    return Cell("right")
