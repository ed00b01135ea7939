"""The files of a data set, fetched one after the other, and the folder that is made of them."""

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from stages.download.checks.rules import Checks
from stages.download.checks.whole_dataset import check_overall
from stages.download.readers.layout import Layout, Record
from stages.download.readers.tables import read_arrow, read_hub_split, read_parquet
from stages.download.readers.text_files import read_folders, read_text_file
from stages.download.sources.archive import unpack
from stages.download.sources.fetch import Fetched, fetch
from stages.download.sources.hub import SPLITS, is_hub, load_hub_dataset
from stages.download.spool import InputFile, spool_rows
from stages.download.writer import write_rows
from stages.errors import DataError
from stages.files import write_json

logger = logging.getLogger(__name__)


class Source(NamedTuple):
    """Rows on disk, and what source.json says of where they are from."""

    input: InputFile
    description: dict[str, Any]


def write_dataset(
    folder: Path,
    *,
    files: Sequence[Mapping[str, Any]],
    root: Path,
    watched: str,
    unpack_limit: int,
    layout: Layout,
    labels: Mapping[str, str],
    policies: Mapping[str, str],
    min_rows_per_label: int,
    similarity: float,
) -> None:
    """Fetch the files and write rows.parquet, source.json, stats.json and set_aside.csv into `folder`.

    Args:
        folder: An empty folder.
        files: Entries of download.dataset.files: source, member, sha256, split, label each.
        root: Folder that relative paths start at.
        watched: Folder or file that local sources lie under.
        unpack_limit: Bytes that a compressed file or a member of an archive may unpack to.
        layout: How the files are to be read.
        labels: New name of each label value; empty: as they are.
        policies: fail, warn, set_aside or ignore for rows with something wrong, by rule.
        min_rows_per_label: Rows (>= 1) that every label should have.
        similarity: Least Jaccard similarity (0 to 1) of texts that count as nearly equal.

    Raises:
        DataError: A file can't be fetched or read, or its rows do not make a data set.
    """
    with (
        tempfile.TemporaryDirectory() as scratch,
        (folder / "set_aside.csv").open("w", encoding="utf-8", newline="") as set_aside,
    ):
        checks = Checks(policies, set_aside)
        sources = list(_sources(files, layout, Path(scratch), root, watched, unpack_limit))
        inputs = [source.input for source in sources]
        spool = spool_rows(inputs, Path(scratch) / "rows.arrow", labels=labels, checks=checks, kept=layout.kept)
        aside, cluster = check_overall(spool, checks, min_rows_per_label=min_rows_per_label, similarity=similarity)
        checks.raise_failures()
        stats = write_rows(spool, folder / "rows.parquet", labels=labels, aside=aside, cluster=cluster, checks=checks)
    write_json(folder / "stats.json", stats)
    described = [source.description | {"rows": rows} for source, rows in zip(sources, spool.counts, strict=True)]
    write_json(folder / "source.json", {"files": described})


def _sources(
    files: Sequence[Mapping[str, Any]], layout: Layout, scratch: Path, root: Path, watched: str, unpack_limit: int
) -> Iterator[Source]:
    fetched: dict[str, list[Fetched]] = {}  # several members of one archive are one download
    for number, file in enumerate(files):
        source = file["source"]
        if is_hub(source) != (layout.format == "hf"):
            raise DataError(f"{source}: the format hf and sources that start with hf:// go together. Mend either.")
        if is_hub(source):
            yield from _hub_sources(file, layout)
            continue
        place = scratch / str(number)
        place.mkdir()
        if source not in fetched:
            fetched[source] = list(fetch(source, root=root, folder=watched, scratch=place))
        if file["sha256"] is not None and len(fetched[source]) > 1:
            raise DataError(f"{source} matches {len(fetched[source])} files, and one sha256 can't pin them. Name each.")
        for index, whole in enumerate(fetched[source]):
            whole.verify(file["sha256"])
            if file["sha256"] is None:
                logger.info("%s is not pinned; it now has sha256: %s", whole.source, whole.sha256)
            inner = place / str(index)
            inner.mkdir()
            path = unpack(whole.path, member=file["member"], name=whole.source, scratch=inner, limit=unpack_limit)
            name = whole.source if file["member"] is None else f"{whole.source}:{file['member']}"
            description = {
                "source": whole.source,
                "member": file["member"],
                "sha256": whole.sha256,
                "bytes": whole.bytes,
            }
            yield Source(_input(path, name, layout, file), description)


def _hub_sources(file: Mapping[str, Any], layout: Layout) -> Iterator[Source]:
    """One input per split: the one that `member` names, or all that are train, validation or test."""
    source, member = file["source"], file["member"]
    if file["sha256"] is not None:
        raise DataError(f"{source}: a data set of the Hub is pinned by its revision, not by sha256. Take it out.")
    loaded = load_hub_dataset(source)
    known = list(loaded.splits)
    wanted = [member] if member is not None else [name for name in known if name in SPLITS]
    if not wanted or any(name not in known for name in wanted):
        problem = "none of its splits is train, validation or test" if member is None else f"it has no split {member!r}"
        raise DataError(f"{source}: {problem}. It has: {', '.join(known)}. Name one as `member`.")
    for name in wanted:
        label, columns = _columns(layout, f"{source}:{name}", file["label"])
        own = replace(layout, columns=columns)
        records = read_hub_split(loaded.splits[name], name=f"{source}:{name}", layout=own)
        # several splits: the Hub's own division; one by its name: whatever `split` says
        split = file["split"] or (SPLITS.get(name) if member is None and len(wanted) > 1 else None)
        yield Source(
            InputFile(f"{source}:{name}", records, columns, split, label),
            {"source": source, "member": name, "revision": loaded.revision},
        )


def _input(path: Path, name: str, layout: Layout, file: Mapping[str, Any]) -> InputFile:
    label, columns = _columns(layout, name, file["label"])
    readers = {"parquet": read_parquet, "arrow": read_arrow, "folders": read_folders}
    own = replace(layout, columns=columns)
    if layout.format != "folders" and path.is_dir():
        raise DataError(f"{name} is a folder. Name the files in it, by a pattern such as {name}/*.csv.")
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(f"{name} is empty (0 bytes). Give a file with rows.")
    records: Iterator[Record] = readers.get(layout.format, read_text_file)(path, name=name, layout=own)
    return InputFile(name, records, columns, file["split"], label)


def _columns(layout: Layout, name: str, label: str | int | None) -> tuple[str | None, dict[str, str | int]]:
    """The label of all rows of a file, if it is given, and the columns that are then to be read."""
    columns = dict(layout.columns)
    if layout.kept and layout.format in ("folders", "lines"):
        raise DataError(f"{name}: the format {layout.format} has no columns. Set download.dataset.columns.slices: [].")
    if layout.format == "folders":
        return None, {"text": 0, "label": 0, "id": 0}  # the folder, and the file's path
    if layout.format == "lines" and label is None:
        raise DataError(f"{name}: plain lines have no label. Give the file its label in download.dataset.files.")
    if layout.format == "lines":
        return str(label), {"text": 0}
    if label is not None:
        columns.pop("label", None)
    elif "label" not in columns:
        raise DataError(
            f"{name} has no label: name the column in download.dataset.columns.label, "
            "or give the file its label in download.dataset.files."
        )
    return None if label is None else str(label), columns
