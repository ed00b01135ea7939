"""`retune suggest`: the rows of a file that are worth labelling next."""

import contextlib
import itertools
import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.console import Console

from pipeline.prediction.model import Load, TextModel
from pipeline.prediction.progress import RowProgress
from pipeline.prediction.request import PredictionRequest
from pipeline.prediction.run import arrow_column, print_bytes
from pipeline.prediction.source import Source, open_source
from pipeline.prediction.window import Window, check_names, choose_rows, window_problems
from pipeline.suggestion.candidates import Candidates
from pipeline.suggestion.choice import PREFILTER, choose, distinct_rows
from pipeline.suggestion.labelled import labelled_keys, text_keys
from stages.errors import DataError
from stages.files import replace_file
from stages.messages import counted

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """Which rows are suggested.

    Args:
        rows: How many (>= 1).
        seed: Of the draws.
        labelled: rows.parquet of the data set, whose texts are left out; None: there is none.
    """

    rows: int
    seed: int
    labelled: Path | None


def suggest_rows(request: PredictionRequest, load: Load, wanted: Wanted) -> None:
    """Write the rows that the model is unsure of and that differ from each other, with a rank and its prediction.

    Raises:
        DataError: The file can't be read, its columns can't be used, it has no row to suggest, or `out` exists.
        ModelError: The model is missing or unsafe, or gives a number.
    """
    with open_source(request) as source, contextlib.closing(source.windows()) as windows:
        if request.out and request.out.exists():  # the rows of it that are labelled by now are nowhere else
            raise DataError(f"--out {request.out} exists and may hold labels. Give another name, or delete it.")
        first = list(itertools.islice(windows, 1))  # most of what can be wrong with the input shows here
        model = load(request.model)
        added = _results(model, [], None, prefix=request.prefix).column_names
        for window in first:
            source.writer.check(window)
        taken = np.zeros(0, np.int64) if wanted.labelled is None else labelled_keys(wanted.labelled)
        candidates, counts = Candidates(PREFILTER * wanted.rows), Counter[str]()
        with RowProgress(Console(stderr=True), total=source.size) as progress:
            for window in itertools.chain(first, windows):
                check_names(request.input_name, window, added)
                _add(window, model, taken, candidates, counts)
                progress.advance(counts["rows"], window.position)
    if not len(candidates):
        raise DataError(f"{request.input_name} has no row to label: {_describe(counts)}. Give a file with other rows.")
    chosen = _choose(candidates, model, wanted)
    _write(source, chosen, _results(model, chosen.texts, chosen.text_pairs, prefix=request.prefix))
    target = f" in {request.out}" if request.out else ""
    log.info("%s to label%s, of %s", counted(len(chosen), "row"), target, _describe(counts))


def _add(
    window: Window, model: TextModel, taken: NDArray[np.int64], candidates: Candidates, counts: Counter[str]
) -> None:
    """Add the rows of a window that can be used and are not labelled to the candidates."""
    usable = [row for row, problem in enumerate(window_problems(window)) if problem is None]
    good = choose_rows(window, usable)
    keys = text_keys(good.texts, good.text_pairs or [None] * len(good))
    new = np.flatnonzero(~np.isin(keys, taken))
    counts.update({"rows": len(window), "unusable": len(window) - len(good), "labelled": len(good) - len(new)})
    unlabelled = choose_rows(good, new.tolist())
    columns = model.columns(unlabelled.texts, unlabelled.text_pairs, uncertainty=True)
    candidates.add(unlabelled, np.asarray(columns["uncertainty"], np.float64), keys[new])


def _choose(candidates: Candidates, model: TextModel, wanted: Wanted) -> Window:
    """Return the suggested rows, in the order of their rank."""
    window, uncertainty = candidates.best()
    pairs = window.text_pairs or [""] * len(window)
    distinct = distinct_rows([f"{text}\x1f{pair}" for text, pair in zip(window.texts, pairs, strict=True)], uncertainty)
    window, uncertainty = choose_rows(window, distinct.tolist()), uncertainty[distinct]
    embeddings = model.embed(window.texts, window.text_pairs)
    return choose_rows(window, choose(embeddings, uncertainty, count=wanted.rows, seed=wanted.seed).tolist())


def _results(model: TextModel, texts: list[str], text_pairs: list[str] | None, *, prefix: str) -> pa.Table:
    """Return the columns that are added to the suggested rows."""
    columns = {"rank": np.arange(1, len(texts) + 1), **model.columns(texts, text_pairs, uncertainty=True)}
    return pa.table({prefix + name: arrow_column(values) for name, values in columns.items()})


def _write(source: Source, chosen: Window, results: pa.Table) -> None:
    data = source.writer.encode(chosen, results, first=True)
    if source.request.out is None:
        print_bytes(data)
        return
    with replace_file(source.request.out, of_person=True) as temporary:
        temporary.write_bytes(data)


def _describe(counts: Counter[str]) -> str:
    parts = [counted(counts["rows"], "row")]
    if counts["labelled"]:
        parts.append(f"{counts['labelled']:,} labelled already")
    if counts["unusable"]:
        parts.append(f"{counts['unusable']:,} could not be used")
    return ", ".join(parts)
