"""Keys of texts, and those of the texts that the data set has already."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.errors import DataError
from stages.text_keys import hash_text, normalise


def text_keys(texts: Iterable[str | None], text_pairs: Iterable[str | None]) -> NDArray[np.int64]:
    """Return a key per row, equal for texts that differ only in case, width and white space; shape (rows,)."""
    keys = (hash_text(normalise(text), normalise(pair)) for text, pair in zip(texts, text_pairs, strict=True))
    return np.fromiter(keys, dtype=np.int64)


def labelled_keys(rows: Path) -> NDArray[np.int64]:
    """Return the keys of the texts of rows.parquet; shape (rows,).

    Raises:
        DataError: The file is damaged.
    """
    try:
        with pq.ParquetFile(rows) as file:
            batches = file.iter_batches(columns=["text", "text_pair"])
            keys = [text_keys(*(column.to_pylist() for column in batch.columns)) for batch in batches]
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{rows} can't be read: {error}. Restore it: dvc checkout --force {rows.parent}") from error
    return np.concatenate([np.zeros(0, np.int64), *keys])
