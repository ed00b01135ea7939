"""From a data file to the values of params.yaml that describe it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.dataset.folder import describe_folder
from pipeline.dataset.formats import known_format
from pipeline.dataset.implied import title_of
from pipeline.dataset.named import Chosen
from pipeline.dataset.sample import Sample, read_sample
from stages.errors import DataError


def describe(file: Path, given: Mapping[str, Any] | None = None) -> Sample:
    """How a data file is to be read, and its columns; a folder of a folder per class has none.

    Args:
        file: The file or folder.
        given: What a person has set of how it is read, by key of download.dataset.

    Raises:
        DataError: It is no file or folder that can be read; the message says what to do.
    """
    given = given or {}
    file_format = given.get("format")
    if file.is_dir():
        return describe_folder(file, file_format)
    file_format = file_format or known_format(str(file))
    if not file.exists():
        raise DataError(f"{file} is missing. Name a file that exists.")
    if file_format == "lines":
        raise DataError(
            f"{file} has plain lines without labels. Name one file per class, with its label, in "
            "download.dataset.files (docs/data.md)."
        )
    if file_format is None:
        raise DataError(
            f"{file}: the file extension is unknown. Rename the file to end in .csv, .tsv, .jsonl, .json, .xlsx, "
            ".parquet or .arrow (before .gz, .zst, .bz2 or .xz, if it is compressed); or add -S "
            "download.dataset.format=csv."
        )
    if file_format in ("folders", "hf"):
        raise DataError(
            f"{file} is a file, but download.dataset.format is {file_format}. Leave out download.dataset.format."
        )
    return read_sample(file, file_format, given)


def params_of(sample: Sample, columns: Mapping[str, Chosen], *, path: str) -> dict[str, Any]:
    """The values of params.yaml for a data set, by their full keys.

    Args:
        sample: How it is read.
        columns: Its column for each field: text, label, id, group.
        path: Where it is in the project; it is watched itself, so that nothing beside it re-runs a stage.
    """
    fields = dict.fromkeys(("text", "label", "text_pair", "id", "group")) | {"text": 0} | dict(columns)
    return {
        "download.dataset.files": [
            {"source": f"{path}/{part}", "split": split} for part, split in sample.splits.items()
        ]
        or [{"source": path}],
        "download.dataset.folder": path,
        "download.dataset.format": sample.format,
        "download.dataset.encoding": sample.encoding,
        "download.dataset.delimiter": sample.delimiter,
        "download.dataset.header": sample.header,
        "download.dataset.quoting": sample.quoting,
        "download.dataset.sheet": sample.sheet,
        **{f"download.dataset.columns.{field}": column for field, column in fields.items()},
        "download.dataset.columns.slices": [],
        "download.dataset.labels": {},
        "report.title": title_of([Path(path).name]),
    }
