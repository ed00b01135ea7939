"""`retune predict` and `retune embed`: the saved model on any number of rows, in constant memory."""

import logging
import sys
from collections.abc import Callable, Mapping

import pyarrow as pa
from rich.console import Console

from pipeline.prediction.model import Load, TextModel
from pipeline.prediction.progress import RowProgress
from pipeline.prediction.request import Job, identity_of, input_kind, input_name, input_size, open_input, output_of
from pipeline.prediction.resume import Counts, Parts, partial_of
from pipeline.prediction.windows import Source, Window
from stages.errors import DataError
from stages.texts import text_problem

log = logging.getLogger(__name__)

Compute = Callable[[list[str], list[str] | None], pa.Table]  # texts, text_pairs -> a row of results for each


def predict_rows(job: Job, load: Load, *, every_label: bool) -> None:
    """Add to each row the label (`prediction`), its probability and an error, and of every label the probability.

    Raises:
        DataError: The file can't be read, or its columns are not what they must be.
        ModelError: There is no model, or it is unsafe.
    """

    def compute_with(classifier: TextModel) -> Compute:
        def compute(texts: list[str], text_pairs: list[str] | None) -> pa.Table:
            probabilities = classifier.probabilities(texts, text_pairs)
            preds = classifier.decide(probabilities)
            columns = {
                "prediction": pa.array([classifier.labels[index] for index in preds], pa.string()),
                "probability": pa.array(probabilities[range(len(preds)), preds], pa.float32()),
            }
            for index, label in enumerate(classifier.labels if every_label else ()):
                columns[f"probability_{label}"] = pa.array(probabilities[:, index], pa.float32())
            return pa.table(columns)

        return compute

    _run(job, load, compute_with, options={"--all": every_label})


def embed_rows(job: Job, load: Load) -> None:
    """Add to each row the sentence embedding of the tuned encoder and an error; the file written is Parquet.

    Raises:
        DataError: The file can't be read, its columns are not what they must be, or the output is not Parquet.
        ModelError: There is no model, or it is unsafe.
    """
    if job.out is None or job.out.suffix != ".parquet":
        raise DataError(f"Embeddings are written as Parquet, not as {job.out or 'text'}. Give --out FILE.parquet.")

    def compute_with(classifier: TextModel) -> Compute:
        def compute(texts: list[str], text_pairs: list[str] | None) -> pa.Table:
            flat = pa.array(classifier.embed(texts, text_pairs).ravel(), pa.float32())
            return pa.table({"embedding": pa.FixedSizeListArray.from_arrays(flat, classifier.hidden_size)})

        return compute

    _run(job, load, compute_with, options={"command": "embed"})


def _run(job: Job, load: Load, compute_with: Callable[[TextModel], Compute], *, options: Mapping[str, object]) -> None:
    kind, output = input_kind(job), output_of(job)
    with open_input(job) as file:
        if job.out and job.resume and job.out.exists() and not partial_of(job.out).exists():
            log.info("%s is finished: nothing to go on with.", job.out)
            return
        identity = identity_of(job, options) if job.out else {}
        classifier = load(job.model)
        compute = compute_with(classifier)
        source = Source(
            input_name(job), kind, file, "text" if kind == "lines" else job.column, job.pair_column, job.encoding
        )
        parts = Parts(job.out, identity, resume=job.resume) if job.out else None
        counts = parts.counts if parts else Counts()
        if parts and counts.rows:
            output.go_on(parts.files)
            log.info("Going on after %s rows of an interrupted run.", f"{counts.rows:,}")
        before = classifier.rows_cut - counts.cut
        total, first = input_size(job, kind), counts.rows == 0
        with RowProgress(Console(stderr=True), total=total, rows=counts.rows) as progress:
            for window in source.windows(skip=counts.rows):
                results, errors = _results(window, compute, job.prefix)
                _check_clash(source.name, window, results)
                data, first = output.encode(window, results, first=first), False
                counts = Counts(counts.rows + len(window), counts.errors + errors, classifier.rows_cut - before)
                if parts:
                    parts.add(data, counts)
                else:
                    sys.stdout.buffer.write(data)
                    sys.stdout.buffer.flush()
                progress.advance(counts.rows, window.position)
        if parts:
            parts.finish(output.join)
        _say(job, counts, progress.rate, classifier.max_length)


def _results(window: Window, compute: Compute, prefix: str) -> tuple[pa.Table, int]:
    """What is added to each row of a window, and how many of them have an error instead."""
    problems = list(window.problems)
    for column, name in ((window.texts, ""), (window.text_pairs or [], "second ")):
        for row, text in enumerate(column):
            problem = problems[row] is None and text_problem(text)
            if problem:
                problems[row] = name + problem
    good = [row for row, problem in enumerate(problems) if problem is None]
    pairs = None if window.text_pairs is None else [window.text_pairs[row] for row in good]
    computed = compute([window.texts[row] for row in good], pairs)
    places = {row: place for place, row in enumerate(good)}
    taken = computed.take(pa.array([places.get(row) for row in range(len(problems))], pa.int64()))
    table = taken.append_column("error", pa.array(problems, pa.string()))
    return table.rename_columns([prefix + name for name in table.column_names]), len(problems) - len(good)


def _check_clash(name: str, window: Window, results: pa.Table) -> None:
    present = (
        set(window.data.column_names)
        if isinstance(window.data, pa.Table)
        else {key for row in window.data for key in row}
    )
    both = [column for column in results.column_names if column in present]
    if both:
        raise DataError(f"{name} already has a column {both[0]!r}. Choose other names with, say, --prefix model_")


def _say(job: Job, counts: Counts, rate: float, max_length: int) -> None:
    where = f" in {job.out}" if job.out else ""
    text = f"{counts.rows:,} rows{where}, {rate:,.0f} rows/s"
    if counts.errors:
        text += f"; {counts.errors:,} could not be used: see the column {job.prefix}error"
    if counts.cut:
        text += f"; {counts.cut:,} texts were cut to {max_length} tokens"
    log.info(text)
