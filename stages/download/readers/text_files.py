"""Read the rows of text files and workbooks, and of folders of text files."""

import io
import logging
from collections.abc import Iterator
from pathlib import Path

from stages.download.readers.record import (
    LONGEST,
    ReadOptions,
    Record,
    encodable,
    missing_column,
    params_key,
    positions_of,
    record_of,
    typed_record,
)
from stages.errors import DataError
from stages.messages import examples, plain, short
from stages.reading.binary import binary_of
from stages.reading.dialect import PARAMS
from stages.reading.encoding_check import check_encoding, other_encoding
from stages.reading.encodings import HEAD
from stages.reading.json_rows import read_json, read_json_lines
from stages.reading.lines import Lines, Row, decode
from stages.reading.regular_files import files_below, open_file
from stages.reading.separated import other_delimiter, read_separated
from stages.reading.splits import all_are_splits, official_split
from stages.reading.values import present_keys, value_at
from stages.reading.workbook import other_sheets, read_workbook

MOST_KEYS = 10_000  # of JSON objects that are remembered for a message
logger = logging.getLogger(__name__)


def read_text_file(path: Path, *, name: str, options: ReadOptions) -> Iterator[Record]:
    """Read the rows of a csv, tsv, jsonl, json, lines or excel file in their order, in bounded memory.

    Args:
        path: The file on disk.
        name: What messages call it.
        options: Its format, encoding and columns.

    Raises:
        DataError: The file is empty, is not of this format, or lacks a column.
    """
    with open_file(path, name) as file:
        if options.format == "excel":
            names, rows, others = read_workbook(file, name, options.dialect)
            yield from _records(names, rows, name, options, hint=other_sheets(others, PARAMS))
            return
        with decode(file, options.dialect) as stream:
            check_encoding(file.read(HEAD), name, options.dialect)
            file.seek(0)
            try:
                yield from _text_rows(stream, name, options)
            except UnicodeError as error:
                raise DataError(
                    f"{name} can't be read as {options.encoding}: {error}. "
                    "Set download.dataset.encoding to the file's encoding."
                ) from error


def read_folders(path: Path, *, name: str, options: ReadOptions) -> Iterator[Record]:
    """Read folders of text files: each file is a row, its top folder the label, its path the id.

    Args:
        path: The folder that holds a folder per class.
        name: What messages call it.
        options: Its encoding.

    Raises:
        DataError: It is not a folder, no file is in the folder of a class, or the classes would be splits.
    """
    if not path.is_dir():
        raise DataError(
            f"{name} is not a folder. The format folders needs a folder that holds a folder of text files per class."
        )
    for row, file in enumerate(_files_of_classes(path, name), start=1):
        parts = file.relative_to(path).parts
        with open_file(file, f"{name}/{'/'.join(parts)}") as binary, decode(binary, options.dialect) as stream:
            head = binary.read(HEAD)
            if found := binary_of(head):
                yield Record(row, None, id="/".join(parts), problem=f"it is {found.what}, not text")
                continue
            if other := other_encoding(head, options.encoding):
                yield Record(row, None, id="/".join(parts), problem=f"it is {other.upper()}, not {options.encoding}")
                continue
            binary.seek(0)
            try:
                text = stream.read(LONGEST + 1)
            except UnicodeError as error:
                yield Record(row, None, id="/".join(parts), problem=f"it is not {options.encoding}: {error}")
                continue
        yield record_of(row, {"text": text, "label": parts[0], "id": "/".join(parts)})


def _files_of_classes(path: Path, name: str) -> list[Path]:
    """Return the files in the folders of classes; what is beside these, such as a README, is no text of a class."""
    files = files_below(path, name).files
    texts = [file for file in files if file.parent != path]
    beside = [file.name for file in files if file.parent == path]
    if beside and not texts:
        raise DataError(f"{name}: the file {plain(beside[0])} is not in a class folder. Move it into one.")
    if beside:
        what = "files are not in a class folder, so they are not read"
        logger.warning("%s: %d %s: %s", name, len(beside), what, examples(beside, show=plain))
    classes = list(dict.fromkeys(file.relative_to(path).parts[0] for file in texts))
    if all_are_splits(classes) and any(len(file.relative_to(path).parts) > 2 for file in texts):
        entries = ", ".join(f"{{source: {name}/{folder}, split: {official_split(folder)}}}" for folder in classes)
        raise DataError(
            f"{name}: the classes would be {examples(classes, show=plain)}, which are names of splits. Give each "
            f"folder an entry: download.dataset.files: [{entries}]. If they are classes, rename the folders."
        )
    return texts


def _text_rows(stream: io.TextIOWrapper, name: str, options: ReadOptions) -> Iterator[Record]:
    if options.format == "json":
        yield from _objects(read_json(stream, name, options.dialect), name, options)
        return
    lines = Lines(stream, name, options.dialect)
    if options.format == "jsonl":
        yield from _objects(read_json_lines(lines, name, options.dialect), name, options)
    elif options.format == "lines":
        for line in lines:
            yield record_of(lines.first, {"text": line.rstrip("\r\n")})
            lines.next_row()
    else:
        names, rows, _ = read_separated(lines, name, options.dialect)
        other = other_delimiter(names)
        setting = "set download.dataset.delimiter, for all files."
        divided = f" It seems to be separated by {other!r}: {setting}" if other else ""
        yield from _records(names, rows, name, options, hint=divided)


def _records(
    names: list[str], rows: Iterator[Row], name: str, options: ReadOptions, *, hint: str = ""
) -> Iterator[Record]:
    """The records of rows whose cells are in the order of the names."""
    if not names:
        return
    if not all(map(encodable, names)):
        raise DataError(
            f"{name} row 1: the header is not {options.encoding}. Set download.dataset.encoding to the file's encoding."
        )
    if not options.header:
        _refuse_names(name, options, len(names))
    positions = positions_of(name, options, names, hint=hint)
    for row in rows:
        if row.problem is None and isinstance(row.cells, list):
            yield record_of(row.number, {field: row.cells[position] for field, position in positions.items()})
        else:
            yield Record(row.number, None, problem=row.problem)


def _refuse_names(name: str, options: ReadOptions, width: int) -> None:
    for field, column in options.columns.items():
        if isinstance(column, str):
            raise DataError(
                f"{params_key(field)}: {short(column)} is a name, but {name} has no header. "
                f"Give a number from 0 to {width - 1}, or set download.dataset.header: true."
            )


def _objects(rows: Iterator[Row], name: str, options: ReadOptions) -> Iterator[Record]:
    """The records of objects; a row may lack a key, so a column is missing only where all rows lack it."""
    seen: dict[str, None] = {}  # keys, for a message
    missing = {field: str(column) for field, column in options.columns.items()}  # in all rows up to here
    read = False
    for row in rows:
        if not isinstance(row.cells, dict):
            yield Record(row.number, None, problem=row.problem)
            continue
        read = True
        values = {field: value_at(row.cells, str(column)) for field, column in options.columns.items()}
        if missing:
            keys = present_keys(row.cells)
            missing = {f: column for f, column in missing.items() if values[f] is None and column not in keys}
            if len(seen) < MOST_KEYS:
                seen.update(dict.fromkeys(keys))
        yield typed_record(row.number, values)
    for field, column in missing.items() if read else ():
        raise missing_column(name, field, column, list(filter(encodable, seen)))
