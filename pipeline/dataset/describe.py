"""From a data file to the values of params.yaml that describe it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.dataset.formats import known_format
from pipeline.dataset.implied import title_of
from pipeline.dataset.sample import Sample, read_sample
from stages.errors import DataError
from stages.reading.system_files import is_system_file


def describe(file: Path) -> Sample:
    """How a data file is to be read, and its columns; a folder of a folder per class has none.

    Raises:
        DataError: It is no file or folder that can be read; the message says what to do.
    """
    if file.is_dir():
        if shard := _saved_file(file):
            return read_sample(shard, "arrow")
        children = [child for child in file.iterdir() if not is_system_file(child.name)]
        if len(children) < 2 or not all(child.is_dir() for child in children):
            raise DataError(
                f"{file} is a folder, but not one of a folder of text files per class. Name a file in it, or several "
                "files in download.dataset.files (docs/data.md)."
            )
        return Sample("folders")
    file_format = known_format(str(file))
    if not file.exists():
        raise DataError(f"{file} is missing. Name a file that exists.")
    if file_format == "lines":
        raise DataError(
            f"{file} has plain lines, and these have no label. Name a file per class, with its label, in "
            "download.dataset.files (docs/data.md)."
        )
    if file_format is None:
        raise DataError(
            f"{file}: the end of its name says no format. Rename it: .csv, .tsv, .jsonl, .json, .xlsx, .parquet or "
            ".arrow (before .gz, .zst, .bz2 or .xz, if it is packed)."
        )
    return read_sample(file, file_format)


def _saved_file(folder: Path) -> Path | None:
    """Return the first Arrow file of a data set that `datasets` saved with save_to_disk; None: it is another folder."""
    if not any((folder / name).is_file() for name in ("state.json", "dataset_dict.json")):
        return None
    return next(iter(sorted(folder.glob("data-*.arrow")) or sorted(folder.glob("*/data-*.arrow"))), None)


def params_of(sample: Sample, columns: Mapping[str, str | int | None], *, path: str) -> dict[str, Any]:
    """The values of params.yaml for a data set, by their full keys.

    Args:
        sample: How it is read.
        columns: Its column for each field: text, label, id, group.
        path: Where it is in the project; it is watched itself, so that nothing beside it re-runs a stage.
    """
    fields = dict.fromkeys(("text", "label", "text_pair", "id", "group")) | {"text": 0} | dict(columns)
    return {
        "download.dataset.files": [{"source": path}],
        "download.dataset.folder": path,
        "download.dataset.format": sample.format,
        "download.dataset.encoding": sample.encoding,
        "download.dataset.delimiter": sample.delimiter,
        "download.dataset.header": sample.header,
        "download.dataset.quoting": True,
        "download.dataset.sheet": None,
        **{f"download.dataset.columns.{field}": column for field, column in fields.items()},
        "download.dataset.columns.slices": [],
        "download.dataset.labels": {},
        "report.title": title_of([Path(path).name]),
    }
