"""The files of a data set, fetched one after the other, and the folder that is made of them."""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stages.download.archive import extract_member
from stages.download.fetch import Fetched, fetch
from stages.download.records import Layout
from stages.download.rows import InputFile, write_rows
from stages.errors import DataError
from stages.files import write_json

logger = logging.getLogger(__name__)


def write_dataset(
    folder: Path,
    *,
    files: Sequence[Mapping[str, Any]],
    root: Path,
    watched: str,
    layout: Layout,
    labels: Mapping[str, str],
    policies: Mapping[str, str],
    min_rows_per_label: int,
) -> None:
    """Fetch the files and write rows.parquet, source.json, stats.json and set_aside.csv into `folder`.

    Args:
        folder: An empty folder.
        files: Entries of download.dataset.files: source, member, sha256, split, label each.
        root: Folder that relative paths start at.
        watched: Folder or file that local sources lie under.
        layout: How the files are to be read.
        labels: New name of each label value; empty: as they are.
        policies: `fail` or `set_aside` for rows that can't be used, by rule.
        min_rows_per_label: Rows (>= 1) that every label must have.

    Raises:
        DataError: A file can't be fetched or read, or its rows do not make a data set.
    """
    with tempfile.TemporaryDirectory() as scratch:
        inputs, described = [], []
        fetched: dict[str, Fetched] = {}  # several members of one archive are one download
        for number, file in enumerate(files):
            place = Path(scratch) / str(number)
            place.mkdir()
            name = file["source"]
            if name not in fetched:
                fetched[name] = fetch(name, root=root, folder=watched, scratch=place)
            whole = fetched[name]
            whole.verify(name, file["sha256"])
            path = whole.path
            if file["member"] is not None:
                path = extract_member(path, file["member"], name=name, path=place / "member")
                name = f"{name}:{file['member']}"
            label = None if file["label"] is None else str(file["label"])
            inputs.append(InputFile(path, name, _layout(layout, name, label), file["split"], label))
            if file["sha256"] is None:
                logger.info("%s is not pinned; it now has sha256: %s", file["source"], whole.sha256)
            described.append(
                {
                    "source": file["source"],
                    "member": file["member"],
                    "sha256": whole.sha256,
                    "bytes": whole.bytes,
                }
            )
        counts = write_rows(
            folder,
            inputs,
            labels=labels,
            policies=policies,
            min_rows_per_label=min_rows_per_label,
        )
    for description, rows in zip(described, counts, strict=True):
        description["rows"] = rows
    write_json(folder / "source.json", {"files": described})


def _layout(layout: Layout, name: str, label: str | None) -> Layout:
    """The layout of one file: a label given for all its rows stands in no column, and plain lines are all text."""
    columns = dict(layout.columns)
    if label is not None:
        columns.pop("label", None)
    elif layout.format == "lines":
        raise DataError(f"{name}: plain lines have no label. Give the file its label in download.dataset.files.")
    elif "label" not in columns:
        raise DataError(
            f"{name} has no label: name the column in download.dataset.columns.label, "
            "or give the file its label in download.dataset.files."
        )
    return replace(layout, columns={"text": 0} if layout.format == "lines" else columns)
