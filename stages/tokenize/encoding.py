"""Encode the rows batch by batch and write them as Arrow while reading: memory does not grow with the rows."""

import json
import logging
import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from stages.errors import DataError, ModelError, ParamsError
from stages.files import read_json, replace_file
from stages.tokenize.lengths import Lengths
from stages.truncation import Frame, frame_of, kept

logger = logging.getLogger(__name__)

BATCH = 4_096  # rows encoded at once; an Encoding keeps some kilobytes of its own while it lives
PROGRESS = 25  # batches between two lines of the log
UNBOUNDED = 1_000_000  # tokens; a tokenizer_config.json says 1e30 where it knows no limit


class RowTokens(NamedTuple):
    """Tokens of one row as they are written, and how many it had."""

    input_ids: Sequence[int]
    token_type_ids: Sequence[int]
    length: int  # before anything was cut

    @property
    def cut(self) -> int:
        return self.length - len(self.input_ids)


class OpenTokenizer(NamedTuple):
    """An encoder's tokenizer, with its own truncation and padding off."""

    tokenizer: Tokenizer
    limit: int | None  # tokens that the encoder takes at most, where its files say so
    unknown: int | None  # id of the token for what it does not know, where it has one


def open_tokenizer(folder: Path, *, max_length: int) -> OpenTokenizer:
    """Open the encoder's tokenizer.

    Args:
        folder: Holds tokenizer.json and tokenizer_config.json.
        max_length: Tokens per row that are asked for.

    Raises:
        ModelError: tokenizer.json is damaged.
        ParamsError: The encoder does not take so many tokens.
    """
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise ModelError(f"{path} is no tokenizer: {error}. Run the stage download@model again.") from error
    config = read_json(folder / "tokenizer_config.json")
    limit = config.get("model_max_length")
    limit = int(limit) if isinstance(limit, int | float) and limit < UNBOUNDED else None
    if limit is not None and max_length > limit:
        raise ParamsError(f"tokenize.max_length: {max_length}, but the encoder takes {limit} tokens at most.")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    name = config.get("unk_token")
    name = name.get("content") if isinstance(name, dict) else name
    return OpenTokenizer(tokenizer, limit, tokenizer.token_to_id(name) if name else None)


def read_labels(rows: Path) -> list[str]:
    """Return the label names of rows.parquet, in class order.

    Raises:
        DataError: They are not in its schema.
    """
    metadata = pq.read_schema(rows).metadata or {}
    if b"labels" not in metadata:
        raise DataError(f"{rows} has no label names in its schema. Run the stage download@dataset again.")
    labels: list[str] = json.loads(metadata[b"labels"])
    return labels


def write_tokens(rows: Path, path: Path, *, opened: OpenTokenizer, max_length: int, truncation: str) -> Lengths:
    """Encode rows.parquet into an Arrow IPC stream, one row per row, in its order.

    Args:
        rows: rows.parquet of download.
        path: The file to write.
        opened: The tokenizer.
        max_length: Tokens per row, special tokens included.
        truncation: What stays of a longer row: head, tail or head_tail.

    Returns:
        The lengths found, and what was cut.

    Raises:
        ParamsError: `max_length` leaves no room for a text.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    labels = read_labels(rows)
    file = pq.ParquetFile(rows)
    pairs = _has_pairs(file)
    tokenizer = opened.tokenizer
    frame = frame_of(tokenizer, pairs=pairs)
    if max_length <= frame.size:
        raise ParamsError(
            f"tokenize.max_length: {max_length} leaves no room for a text beside {frame.size} special tokens."
        )
    lengths = Lengths(labels, max_length=max_length, truncation=truncation, limit=opened.limit)
    schema = _schema(pairs)
    with replace_file(path) as temporary, pa.ipc.new_stream(temporary, schema) as writer:
        for number, batch in enumerate(file.iter_batches(batch_size=BATCH)):
            if number and number % PROGRESS == 0:
                logger.info("%d of %d rows tokenized", number * BATCH, file.metadata.num_rows)
            tokens = list(_encode(tokenizer, batch, frame, max_length, truncation, pairs))
            encoded = pa.RecordBatch.from_arrays(_columns(batch, tokens, labels, pairs), schema=schema)
            writer.write_batch(encoded)
            lengths.add(
                encoded.column("label").to_numpy(),
                np.array([row.length for row in tokens]),
                unknown=_unknown(encoded.column("input_ids"), opened.unknown),
                special=frame.size,
            )
    return lengths


def _has_pairs(file: pq.ParquetFile) -> bool:
    groups = (file.read_row_group(group, columns=["text_pair"]) for group in range(file.num_row_groups))
    return any(group.column(0).null_count < group.num_rows for group in groups)


def _schema(pairs: bool) -> pa.Schema:
    fields: list[tuple[str, Any]] = [
        ("id", pa.string()),
        ("label", pa.int32()),
        ("group", pa.string()),
        ("split", pa.string()),
        ("text_key", pa.int64()),
        ("cluster", pa.int64()),
        ("tokens_cut", pa.int32()),  # by truncation; 0: the row is whole
        ("input_ids", pa.list_(pa.int32())),
    ]
    return pa.schema(fields + ([("token_type_ids", pa.list_(pa.int8()))] if pairs else []))


def _encode(
    tokenizer: Tokenizer, batch: pa.RecordBatch, frame: Frame, max_length: int, truncation: str, pairs: bool
) -> Iterator[RowTokens]:
    texts: list[Any] = batch.column("text").to_pylist()
    if pairs:
        texts = list(zip(texts, batch.column("text_pair").fill_null("").to_pylist(), strict=True))
    for encoding in tokenizer.encode_batch_fast(texts):  # fast: offsets into the text are not worked out
        ids, types = encoding.ids, encoding.type_ids if pairs else ()
        length = len(ids)
        if length > max_length:
            slices = kept(_text_lengths(encoding, pairs, frame), frame, max_length, truncation)
            ids = list(chain.from_iterable(ids[part] for part in slices))
            types = list(chain.from_iterable(types[part] for part in slices)) if pairs else ()
        yield RowTokens(ids, types, length)


def _text_lengths(encoding: Encoding, pairs: bool, frame: Frame) -> tuple[int, ...]:
    if not pairs:
        return (len(encoding) - frame.size,)
    first = encoding.sequence_ids.count(0)
    return first, len(encoding) - frame.size - first


def _columns(batch: pa.RecordBatch, tokens: Sequence[RowTokens], labels: list[str], pairs: bool) -> list[pa.Array]:
    indices = pc.index_in(batch.column("label"), value_set=pa.array(labels, pa.string()))
    plain = [batch.column(name) for name in ("group", "split", "text_key", "cluster")]
    cut = pa.array([row.cut for row in tokens], pa.int32())
    offsets = np.concatenate([[0], np.cumsum([len(row.input_ids) for row in tokens])]).astype(np.int32)
    lists = [_lists([row.input_ids for row in tokens], offsets, np.dtype(np.int32))]
    if pairs:
        lists.append(_lists([row.token_type_ids for row in tokens], offsets, np.dtype(np.int8)))
    return [batch.column("id"), indices.cast(pa.int32()), *plain, cut, *lists]


def _unknown(input_ids: pa.ListArray, unknown: int | None) -> NDArray[np.int64]:
    """How many tokens of each row are the one for what the tokenizer does not know; shape (rows,)."""
    if unknown is None:
        return np.zeros(len(input_ids), dtype=np.int64)
    row = np.repeat(np.arange(len(input_ids)), np.diff(np.asarray(input_ids.offsets)))
    return np.bincount(row[input_ids.values.to_numpy() == unknown], minlength=len(input_ids))


def _lists(rows: Sequence[Sequence[int]], offsets: NDArray[np.int32], dtype: np.dtype[Any]) -> pa.ListArray:
    flat = np.fromiter(chain.from_iterable(rows), dtype=dtype, count=int(offsets[-1]))
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))
