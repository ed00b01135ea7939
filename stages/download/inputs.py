"""The files of a data set: fetched one after the other, unpacked, and opened by the reader of their format."""

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stages.download.readers.record import ReadOptions, Record, is_flag
from stages.download.readers.tables import read_arrow, read_hub_split, read_parquet, within_limit
from stages.download.readers.text_files import read_folders, read_text_file
from stages.download.sources.archive import unpack
from stages.download.sources.fetch import Fetched, fetch
from stages.download.sources.hub import is_hub, load_hub_dataset
from stages.errors import DataError
from stages.messages import NAMES, examples, plain, short
from stages.reading.binary import refuse_binary
from stages.reading.dialect import PARAMS
from stages.reading.encodings import HEAD
from stages.reading.regular_files import open_file
from stages.reading.saved import SavedSplit, chosen_splits, saved_splits
from stages.reading.splits import log_splits, official_split
from stages.schema import SourceFile

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class InputFile:
    """Rows of one file, or of one split of a data set of the Hub.

    Args:
        name: What messages call it.
        records: Its rows, read while they are used.
        columns: Fields of a record that it has.
        provenance: What source.json says of it: source, member, checksum or revision.
        split: Official split of all its rows.
        label: Label of all its rows.
    """

    name: str
    records: Iterable[Record]
    columns: Collection[str]
    provenance: Mapping[str, Any]
    split: str | None = None
    label: str | None = None


def open_inputs(
    files: Sequence[SourceFile],
    *,
    options: ReadOptions,
    scratch: Path,
    root: Path,
    watched: str,
    unpack_limit: int,
) -> Iterator[InputFile]:
    """Yield the input files of a data set, each on disk and ready to be read.

    Args:
        files: Entries of download.dataset.files.
        options: How the files are read.
        scratch: Existing folder for what is downloaded and unpacked.
        root: Folder that relative paths start from.
        watched: Folder or file that DVC watches; local sources must be in it.
        unpack_limit: Bytes that a compressed file, or a member of an archive, may unpack to.

    Raises:
        DataError: A file can't be fetched, unpacked or opened.
    """
    fetched: dict[str, list[Fetched]] = {}  # several members of one archive are one download
    for number, file in enumerate(files):
        source, sha256 = file.source, file.sha256
        if is_hub(source) != (options.format == "hf"):
            raise DataError(
                f"{source} can't be read with download.dataset.format: {options.format}. The format hf is for sources "
                "that start with hf://, and only for these. Change the source or the format."
            )
        if is_hub(source):
            yield from _hub_inputs(file, options)
            continue
        folder = scratch / str(number)
        folder.mkdir()
        if source not in fetched:
            fetched[source] = list(fetch(source, root=root, watched=watched, scratch=folder))
        if sha256 is not None and len(fetched[source]) > 1:
            raise DataError(
                f"{source} matches {len(fetched[source])} files, but sha256 is the checksum of one file. "
                "Name each file in an entry of its own."
            )
        for index, whole in enumerate(fetched[source]):
            whole.verify(sha256)
            if sha256 is None:
                logger.info("%s has no checksum in params.yaml. Pin it with sha256: %s", whole.source, whole.sha256)
            unpacked = folder / str(index)
            unpacked.mkdir()
            path = unpack(
                whole.path,
                member=file.member,
                name=whole.source,
                scratch=unpacked,
                limit=unpack_limit,
                workbook=options.format == "excel",
            )
            several = len(files) > 1 or len(fetched[source]) > 1
            saved = saved_splits(path, whole.source) if options.format == "arrow" and path.is_dir() else []
            if saved:
                yield from _saved_inputs(saved, whole, options, file, unpack_limit)
            else:
                opened = _input(path, whole, options, file, unpack_limit)
                yield _with_folder(opened, path, root / watched) if options.format == "folders" and several else opened


def _input(path: Path, whole: Fetched, options: ReadOptions, file: SourceFile, limit: int) -> InputFile:
    name = whole.source if file.member is None else f"{whole.source}:{plain(file.member)}"
    label, columns = _label_and_columns(options, name, file.label)
    if options.format != "folders" and path.is_dir():
        if saved_splits(path, name):
            raise DataError(f"{name} is a data set of `datasets`. Set download.dataset.format: arrow.")
        raise DataError(f"{name} is a folder. Name the files in it with a pattern such as {name}/*.csv.")
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(f"{name} is empty (0 bytes). Give a file with rows.")
    if path.is_file():
        with open_file(path, name) as opened:
            refuse_binary(opened.read(HEAD), name, options.format, PARAMS)
    readers = {"parquet": read_parquet, "arrow": read_arrow, "folders": read_folders}
    records = readers.get(options.format, read_text_file)(path, name=name, options=replace(options, columns=columns))
    return InputFile(
        name,
        within_limit(records, limit, name) if options.format in ("parquet", "arrow") else records,
        columns,
        {"source": whole.source, "member": file.member, "sha256": whole.sha256, "bytes": whole.bytes}
        | ({} if whole.skipped is None else {"skipped": whole.skipped}),
        file.split,
        label,
    )


def _with_folder(file: InputFile, path: Path, watched: Path) -> InputFile:
    """Put a folder's own path before the ids of its rows: two folders of classes can hold files of the same names."""
    prefix = Path(os.path.relpath(path, watched)).as_posix()
    return replace(file, records=(record._replace(id=f"{prefix}/{record.id}") for record in file.records))


def _saved_inputs(
    saved: Sequence[SavedSplit], whole: Fetched, options: ReadOptions, file: SourceFile, limit: int
) -> Iterator[InputFile]:
    """One input per Arrow file of the splits of a data set that `save_to_disk` wrote."""
    splits = chosen_splits(saved, file.member, whole.source)
    for split in splits:
        # as on the Hub: several splits are the official ones
        official = official_split(split.name) if file.member is None and len(splits) > 1 else None
        label, columns = _label_and_columns(options, whole.source, file.label)
        for path in split.files:
            name = f"{whole.source}/{path.relative_to(whole.path).as_posix()}"
            read = replace(options, columns=columns)
            records = read_arrow(path, name=name, options=read, classes=split.classes)
            yield InputFile(
                name,
                within_limit(records, limit, name),
                columns,
                {"source": whole.source, "member": split.name, "sha256": whole.sha256, "bytes": whole.bytes},
                file.split or official,
                label,
            )


def _hub_inputs(file: SourceFile, options: ReadOptions) -> Iterator[InputFile]:
    """One input per split: the one that `member` names, or all that are train, validation or test."""
    source, member = file.source, file.member
    if file.sha256 is not None:
        raise DataError(f"{source}: sha256 can't pin a data set of the Hub. Delete it, and give @REVISION instead.")
    loaded = load_hub_dataset(source)
    present = list(loaded.splits)
    wanted = [member] if member is not None else [name for name in present if official_split(name)]
    if not wanted or any(name not in present for name in wanted):
        unknown = f"it has no split {short(member)}"
        problem = "none of its splits is train, validation or test" if member is None else unknown
        raise DataError(
            f"{source}: {problem}. It has: {examples(present, most=NAMES, show=plain)}. Name one of these as `member`."
        )
    if member is None:
        log_splits(source, present, wanted)
    for split in wanted:
        name = f"{source}:{split}"
        label, columns = _label_and_columns(options, name, file.label)
        records = read_hub_split(loaded.splits[split], name=name, options=replace(options, columns=columns))
        # several splits are the official ones; a single split that `member` names may be used as any
        official = official_split(split) if member is None and len(wanted) > 1 else None
        provenance = {"source": source, "member": split, "revision": loaded.revision}
        yield InputFile(name, records, columns, provenance, file.split or official, label)


def _label_and_columns(
    options: ReadOptions, name: str, label: str | int | None
) -> tuple[str | None, dict[str, str | int]]:
    """The label that params.yaml gives to all rows of a file, if any, and the columns to be read."""
    columns = dict(options.columns)
    if options.slice_columns and options.format in ("folders", "lines"):
        raise DataError(f"{name}: the format {options.format} has no columns. Set download.dataset.columns.slices: [].")
    if options.format == "folders":
        return None, {"text": 0, "label": 0, "id": 0}  # the label is the folder, the id is the path
    if options.format == "lines" and label is None:
        raise DataError(f"{name}: plain lines have no label. Give the file a label in download.dataset.files.")
    if options.format == "lines":
        return str(label), {"text": 0}
    if label is not None:
        columns = {field: column for field, column in columns.items() if field != "label" and not is_flag(field)}
    elif "label" not in columns and not any(map(is_flag, columns)):
        raise DataError(
            f"{name} has no label. Name its label column in download.dataset.columns.label, "
            "or give the file a label in download.dataset.files."
        )
    return None if label is None else str(label), columns
