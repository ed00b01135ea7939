"""Encode the rows batch by batch and write them as Arrow while reading: memory does not grow with the rows."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.errors import ParamsError
from stages.files import replace_file
from stages.row_labels import label_array
from stages.targets.rows import ROWS, read_rows_target
from stages.tokenize.lengths import Lengths
from stages.tokenizer import ModelTokenizer, encode
from stages.tokens import Tokens
from stages.truncation import count_special_tokens

logger = logging.getLogger(__name__)

BATCH = 4_096  # rows read at once
BATCH_BYTES = 200_000_000  # of texts read at once, about
PROGRESS = 25  # batches between two lines of the log


def write_tokens(rows: Path, path: Path, *, opened: ModelTokenizer, max_length: int, truncation: str) -> Lengths:
    """Encode rows.parquet into an Arrow IPC stream, row by row in the same order.

    Args:
        rows: rows.parquet of download.
        path: The file to write.
        opened: The encoder's tokenizer.
        max_length: Tokens per row, special tokens included.
        truncation: What is kept of a longer row: head, tail or head_tail.

    Returns:
        The lengths of the rows, and what was cut.

    Raises:
        ParamsError: `max_length` is more than the encoder takes, or leaves no room for a text.
    """
    target = read_rows_target(rows)
    kind = ROWS[target.kind]
    file = pq.ParquetFile(rows)
    pairs = _has_pairs(file)
    special = count_special_tokens(opened.tokenizer, pairs=pairs).count
    _check_max_length(max_length, limit=opened.max_length, special=special)
    lengths = Lengths(target.labels, max_length=max_length, truncation=truncation, limit=opened.max_length)
    label_type = label_array(kind.index(pa.array([], pa.string()), target)).type
    schema = _schema(opened.writes_types(pairs=pairs), label_type, kind.VALUES)
    with replace_file(path) as temporary, pa.ipc.new_stream(temporary, schema) as writer:
        rows_read = _rows_read_at_once(file)
        for number, batch in enumerate(file.iter_batches(batch_size=rows_read)):
            if number and number % PROGRESS == 0:
                logger.info("%d of %d rows tokenized", number * rows_read, file.metadata.num_rows)
            texts = _texts(batch, pairs)
            tokens, cut = encode(opened, texts, pairs=pairs, max_length=max_length, truncation=truncation)
            label = kind.index(batch.column("label"), target)
            columns = _columns(batch, label_array(label), tokens, cut)
            columns += [] if kind.VALUES is None else [kind.values(batch.column("label"), target)]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
            unknown = _unknown_tokens(tokens, opened.unk_token_id)
            lengths.add(label, tokens.lengths + cut, unknown=unknown, special=special)
    return lengths


def _check_max_length(max_length: int, *, limit: int | None, special: int) -> None:
    if limit is not None and max_length > limit:
        raise ParamsError(
            f"tokenize.max_length is {max_length}, but the encoder takes at most {limit} tokens. "
            f"Set tokenize.max_length: {limit}, or less."
        )
    if max_length <= special:
        raise ParamsError(
            f"tokenize.max_length is {max_length}, which {special} special tokens fill, so no text fits. "
            "Set a larger tokenize.max_length."
        )


def _has_pairs(file: pq.ParquetFile) -> bool:
    groups = (file.read_row_group(group, columns=["text_pair"]) for group in range(file.num_row_groups))
    return any(group.column(0).null_count < group.num_rows for group in groups)


def _rows_read_at_once(file: pq.ParquetFile) -> int:
    """BATCH, or less where the texts are so long that as many would fill the memory."""
    groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    longest = max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=0)
    return max(1, min(BATCH, BATCH_BYTES // max(1, longest)))


def _schema(with_types: bool, label: pa.DataType, values: pa.DataType | None) -> pa.Schema:
    fields: list[tuple[str, Any]] = [
        ("id", pa.string()),
        ("label", label),
        ("group", pa.string()),
        ("split", pa.string()),
        ("text_key", pa.int64()),
        ("cluster", pa.int64()),
        ("tokens_cut", pa.int32()),  # by truncation
        ("input_ids", pa.list_(pa.int32())),
    ]
    fields += [("token_type_ids", pa.list_(pa.int8()))] if with_types else []
    return pa.schema(fields + ([] if values is None else [("target", values)]))


def _texts(batch: pa.RecordBatch, pairs: bool) -> list[Any]:
    texts: list[Any] = batch.column("text").to_pylist()
    return list(zip(texts, batch.column("text_pair").fill_null("").to_pylist(), strict=True)) if pairs else texts


def _columns(batch: pa.RecordBatch, label: pa.Array, tokens: Tokens, cut: NDArray[np.int64]) -> list[pa.Array]:
    copied = [batch.column(name) for name in ("group", "split", "text_key", "cluster")]
    offsets = pa.array(np.concatenate([tokens.starts, tokens.lengths.sum(keepdims=True)]).astype(np.int32))
    lists = [
        pa.ListArray.from_arrays(offsets, pa.array(*flat)) for flat in (tokens.input_ids, tokens.token_type_ids) if flat
    ]
    return [batch.column("id"), label, *copied, pa.array(cut, pa.int32()), *lists]


def _unknown_tokens(tokens: Tokens, unk_token_id: int | None) -> NDArray[np.int64]:
    """How many tokens of each row are the one for unknown words; shape (rows,)."""
    if unk_token_id is None:
        return np.zeros(len(tokens), dtype=np.int64)
    row = np.repeat(np.arange(len(tokens)), tokens.lengths)
    return np.bincount(row[tokens.input_ids[0] == unk_token_id], minlength=len(tokens))
