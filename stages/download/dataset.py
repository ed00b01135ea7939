"""From the files of a data set to the folder data/download/dataset."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.download.checks.cross_row import check_across_rows
from stages.download.checks.rules import Problems
from stages.download.collect import collect_rows
from stages.download.inputs import open_inputs
from stages.download.readers.record import ReadOptions
from stages.download.writer import write_rows
from stages.files import write_json


def write_dataset(
    folder: Path,
    *,
    files: Sequence[Mapping[str, Any]],
    root: Path,
    watched: str,
    unpack_limit: int,
    options: ReadOptions,
    labels: Mapping[str, str],
    policies: Mapping[str, str],
    min_rows_per_label: int,
    similarity: float,
) -> None:
    """Fetch the files and write rows.parquet, source.json, stats.json and set_aside.csv into `folder`.

    Args:
        folder: An empty folder.
        files: Entries of download.dataset.files: source, member, sha256, split and label of each.
        root: Folder that relative paths start from.
        watched: Folder or file that DVC watches; local sources must be in it.
        unpack_limit: Bytes that a compressed file, or a member of an archive, may unpack to.
        options: How the files are read.
        labels: New name of each label value; empty: the values are the names.
        policies: fail, warn, set_aside or ignore, by rule.
        min_rows_per_label: Rows (>= 1) that every label should have.
        similarity: Least Jaccard similarity (0 to 1) of texts that count as nearly equal.

    Raises:
        DataError: A file can't be fetched or read, or a row breaks a rule whose policy is `fail`.
    """
    with (
        tempfile.TemporaryDirectory() as scratch,
        (folder / "set_aside.csv").open("w", encoding="utf-8", newline="") as set_aside,
    ):
        problems = Problems(policies, set_aside)
        inputs = list(
            open_inputs(
                files,
                options=options,
                scratch=Path(scratch),
                root=root,
                watched=watched,
                unpack_limit=unpack_limit,
            )
        )
        store = collect_rows(
            inputs,
            Path(scratch) / "rows.arrow",
            labels=labels,
            problems=problems,
            slice_columns=options.slice_columns,
        )
        aside, cluster = check_across_rows(
            store, problems, min_rows_per_label=min_rows_per_label, similarity=similarity
        )
        problems.raise_failures()
        stats = write_rows(
            store, folder / "rows.parquet", labels=labels, aside=aside, cluster=cluster, problems=problems
        )
    write_json(folder / "stats.json", stats)
    sources = [{**file.provenance, "rows": rows} for file, rows in zip(inputs, store.counts, strict=True)]
    write_json(folder / "source.json", {"files": sources})
