"""What params.yaml says of a data set stays where a file has new rows of the same one."""

import contextlib
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.dataset.columns import Chosen, names_of
from pipeline.dataset.describe import SAMPLES, describe
from pipeline.dataset.formats import known_format
from pipeline.dataset.implied import data_names
from pipeline.dataset.sample import Sample
from stages.errors import DataError

NONE: Mapping[str, Any] = {}


def former_dataset(values: Mapping[str, Any], file: Path) -> Mapping[str, Any]:
    """The section download.dataset of params.yaml if a file has rows of that data set, so if the name is the same.

    Args:
        values: Those of params.yaml.
        file: The file or folder.
    """
    dataset = values["download"]["dataset"]
    names = {*data_names(values), posixpath.basename(dataset["folder"].rstrip("/"))}
    return dataset if dataset["folder"] != SAMPLES and file.absolute().name in names else NONE


def describe_again(file: Path, reading: Mapping[str, Any], former: Mapping[str, Any]) -> Sample:
    """How a file is to be read: as before where its columns are found so, else as it looks now.

    Args:
        file: The file or folder.
        reading: What a person sets of how it is read, by key of download.dataset.
        former: The section download.dataset so far, if it is the same data set.

    Raises:
        DataError: It is no file or folder that can be read.
    """
    if former:
        with contextlib.suppress(DataError):
            known = {key: former[key] for key in ("delimiter", "quoting", "sheet")}
            known |= {"header": True} if former["header"] else {}
            known |= {} if file.is_dir() or known_format(str(file)) else {"format": former["format"]}
            sample = describe(file, {**known, **reading})
            if sample.guess and former["encoding"] != sample.encoding:
                sample = describe(file, {**known, "encoding": former["encoding"], **reading})
            if {"text", "label"} <= kept_columns(sample, former).keys():
                return sample
    return describe(file, reading)


def kept_columns(sample: Sample, former: Mapping[str, Any]) -> dict[str, Chosen]:
    """The column of each field as params.yaml has it, where the file still has it."""
    names = {*(str(column.name) for column in sample.columns), *sample.lists}
    fields = {field: column for field, column in former.get("columns", NONE).items() if field != "slices"}
    needed = ("text", "label")
    return {
        field: column
        for field, column in fields.items()
        if (set(names_of(sample, column)) <= names if column is not None else field not in needed)
    }


def kept_values(sample: Sample, former: Mapping[str, Any], columns: Mapping[str, Chosen]) -> dict[str, Any]:
    """The values of params.yaml about the rows of the same data set that still hold, by their full keys."""
    if not former:
        return {}
    names = [str(column.name) for column in sample.columns]
    slices = [column for column in former["columns"]["slices"] if str(column) in names]
    labels = {"download.dataset.labels": former["labels"]} if former["columns"]["label"] == columns.get("label") else {}
    return {"download.dataset.columns.slices": slices, **labels}
