"""Add a model's predictions or embeddings to any number of rows, in constant memory."""

import contextlib
import itertools
import logging
import sys
from collections.abc import Callable, Mapping
from typing import IO, Any, BinaryIO

import pyarrow as pa
from rich.console import Console

from pipeline.prediction.model import Load, TextModel
from pipeline.prediction.progress import RowProgress
from pipeline.prediction.request import PredictionRequest, run_identity
from pipeline.prediction.resume import Counts, PartialOutput
from pipeline.prediction.source import open_source
from pipeline.prediction.window import Window, check_names, window_problems
from stages.errors import DataError, refusal
from stages.messages import counted

log = logging.getLogger(__name__)

Compute = Callable[[list[str], list[str] | None], pa.Table]  # texts, text_pairs -> a row of results per text


def predict_rows(request: PredictionRequest, load: Load, *, every_label: bool) -> None:
    """Add to each row the prediction, how sure it is and an error; with `every_label` also each label's probability.

    Raises:
        DataError: The file can't be read, or its columns can't be used.
        ModelError: The model is missing or unsafe.
    """

    def compute_with(classifier: TextModel) -> Compute:
        def compute(texts: list[str], text_pairs: list[str] | None) -> pa.Table:
            columns = classifier.columns(texts, text_pairs, every_label=every_label)
            return pa.table({name: arrow_column(values) for name, values in columns.items()})

        return compute

    _run(request, load, compute_with, options={"--all": every_label})


def embed_rows(request: PredictionRequest, load: Load) -> None:
    """Add to each row the sentence embedding of its text and an error, and write Parquet.

    Raises:
        DataError: The file can't be read, its columns can't be used, or the output is not Parquet.
        ModelError: The model is missing or unsafe.
    """
    if request.out is None or request.out.suffix != ".parquet":
        raise DataError(f"Embeddings are written as Parquet, not as {request.out or 'text'}. Give --out FILE.parquet.")

    def compute_with(classifier: TextModel) -> Compute:
        def compute(texts: list[str], text_pairs: list[str] | None) -> pa.Table:
            flat = pa.array(classifier.embed(texts, text_pairs).ravel(), pa.float32())
            return pa.table({"embedding": pa.FixedSizeListArray.from_arrays(flat, classifier.hidden_size)})

        return compute

    _run(request, load, compute_with, options={"command": "embed"})


def _run(
    request: PredictionRequest,
    load: Load,
    compute_with: Callable[[TextModel], Compute],
    *,
    options: Mapping[str, object],
) -> None:
    with open_source(request) as source, contextlib.ExitStack() as stack:
        partial = _partial_output(source.file, request, options)
        if partial and partial.finished:
            log.info("%s is finished: there is nothing to resume.", request.out)
            return
        counts = stack.enter_context(partial).counts if partial else Counts()
        windows = stack.enter_context(contextlib.closing(source.windows(skip=counts.rows)))
        first = list(itertools.islice(windows, 1))  # most of what can be wrong with the input shows here
        model = load(request.model)
        compute = compute_with(model)
        names = [*(request.prefix + name for name in compute([], None).column_names), request.prefix + "error"]
        if first:
            source.writer.check(first[0])
            check_names(request.input_name, first[0], names)
        if partial and counts.rows:
            source.writer.resume(partial.files)
            log.info("Resuming after %s rows of an interrupted run.", f"{counts.rows:,}")
        cut_before = model.rows_cut - counts.cut
        with RowProgress(Console(stderr=True), total=source.size, rows=counts.rows) as progress:
            for window in itertools.chain(first, windows):
                check_names(request.input_name, window, names)
                results, errors = _results(window, compute, names)
                data = source.writer.encode(window, results, first=counts.rows == 0)
                counts = Counts(counts.rows + len(window), counts.errors + errors, model.rows_cut - cut_before)
                if partial:
                    partial.add(data, counts)
                else:
                    print_bytes(data)
                progress.advance(counts.rows, window.position)
        if partial:
            partial.finish(source.writer.join)
        _log_summary(request, counts, progress.rate, model.max_length)


def arrow_column(values: Any) -> pa.Array:
    """Return a column in Arrow, of the same type however many rows there are."""
    return values if isinstance(values, pa.Array) else pa.array(values, pa.string() if values.dtype == object else None)


def _partial_output(file: BinaryIO, request: PredictionRequest, options: Mapping[str, object]) -> PartialOutput | None:
    if request.out is None:
        return None
    return PartialOutput(request.out, run_identity(file, request, options), resume=request.resume)


def print_bytes(data: bytes) -> None:
    """Write to standard output at once.

    Raises:
        DataError: It can't be written; where nobody reads it any more, typer ends the command.
    """
    _print(sys.stdout.buffer, data)


def print_text(text: str) -> None:
    """Write to standard output at once; raises as `print_bytes`."""
    _print(sys.stdout, text)


def _print(stream: IO[Any], content: bytes | str) -> None:
    try:
        stream.write(content)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DataError(f"Standard output can't be written: {refusal(error, 'give --out')}") from error


def _results(window: Window, compute: Compute, names: list[str]) -> tuple[pa.Table, int]:
    """The columns to add to the rows of a window, by their names, and how many rows got an error."""
    problems = window_problems(window)
    good = [row for row, problem in enumerate(problems) if problem is None]
    pairs = None if window.text_pairs is None else [window.text_pairs[row] for row in good]
    computed = compute([window.texts[row] for row in good], pairs)
    indices = {row: index for index, row in enumerate(good)}
    aligned = computed.take(pa.array([indices.get(row) for row in range(len(problems))], pa.int64()))
    table = aligned.append_column("error", pa.array(problems, pa.string()))
    return table.rename_columns(names), len(problems) - len(good)


def _log_summary(request: PredictionRequest, counts: Counts, rate: float, max_length: int) -> None:
    target = f" in {request.out}" if request.out else ""
    text = f"{counted(counts.rows, 'row')}{target}, {rate:,.0f} rows/s"
    if counts.errors:
        text += f"; {counts.errors:,} could not be used: see the column {request.prefix}error"
    if counts.cut:
        text += f"; {counted(counts.cut, 'text')} {'was' if counts.cut == 1 else 'were'} cut to {max_length} tokens"
    log.info(text)
