"""What params.yaml says of a data set stays where a file has new rows of the same one."""

import contextlib
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.dataset.choice import Option, choose_columns
from pipeline.dataset.describe import describe, params_of
from pipeline.dataset.formats import known_format
from pipeline.dataset.implied import data_names
from pipeline.dataset.named import Chosen, names_of, own_name
from pipeline.dataset.opening import is_text_in
from pipeline.dataset.sample import Sample
from stages.errors import DataError

NONE: Mapping[str, Any] = {}
SAMPLES = "data/samples"  # of the recipes
DATASET = "download.dataset"
OF_OTHER_LABELS: dict[str, Any] = {  # until the labels are read, nobody knows what they are
    f"{DATASET}.target": "auto",
    f"{DATASET}.label_separator": None,
    f"{DATASET}.label_order": [],
    "evaluate.metric": "auto",
}
RESET = (f"{DATASET}.columns.slices", f"{DATASET}.labels", *OF_OTHER_LABELS)  # keys that lose their value
SET_BY_PERSON = (f"{DATASET}.quoting", f"{DATASET}.sheet")  # of how a file is read: these are never guessed


def own_dataset(values: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The section download.dataset of params.yaml if it is a person's own data set; empty if it is a recipe's.

    Args:
        values: Those of params.yaml.
        path: Of the file in the project: a sample that a person names is theirs.
    """
    dataset = values["download"]["dataset"]
    folder = posixpath.normpath(dataset["folder"])
    is_sample = folder == SAMPLES or (folder.startswith(f"{SAMPLES}/") and folder != path)
    return NONE if is_sample else dataset


def former_dataset(values: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """A person's own section download.dataset if a file has rows of that data set, so if the name is the same.

    Args:
        values: Those of params.yaml.
        path: Of the file in the project.
    """
    own = own_dataset(values, path)
    names = {*data_names(values), posixpath.basename(own.get("folder", "").rstrip("/"))}
    return own if posixpath.basename(path) in names else NONE


def describe_again(
    file: Path, reading: Mapping[str, Any], former: Mapping[str, Any], earlier: Path | None = None
) -> Sample:
    """How a file is to be read: as before where its columns are found so, else as it looks now.

    Args:
        file: The file or folder.
        reading: What a person sets of how it is read, by key of download.dataset.
        former: The section download.dataset so far, if it is the same data set.
        earlier: The rows so far, if they are there.

    Raises:
        DataError: It is no file or folder that can be read.
    """
    if former:
        with contextlib.suppress(DataError):
            known = {key: former.get(key) for key in ("delimiter", "quoting", "sheet")}  # an older file has no sheet
            known |= {} if file.is_dir() or known_format(str(file)) else {"format": former["format"]}
            known |= _header(former, earlier, known)
            sample = describe(file, {**known, **reading})
            samples, encoding = [sample], former["encoding"]
            if sample.guess and encoding != sample.encoding and is_text_in(file, encoding):
                with contextlib.suppress(DataError):  # what can be text in an encoding may still be nonsense
                    samples.insert(0, describe(file, {**known, "encoding": encoding, **reading}))
            for found in samples:
                if {"text", "label"} <= kept_columns(found, former).keys():
                    return found
    return describe(file, reading)


def _header(former: Mapping[str, Any], earlier: Path | None, known: Mapping[str, Any]) -> dict[str, Any]:
    """Whether there is a header, where params.yaml says what nobody would guess: then a person has set it."""
    if former["header"]:
        return {"header": True}
    with contextlib.suppress(DataError, OSError):
        if earlier is not None and not describe(earlier, known).header:
            return {}
    return {"header": False}


def kept_columns(sample: Sample, former: Mapping[str, Any]) -> dict[str, Chosen]:
    """The column of each field as params.yaml has it, where the file still has it, by the file's own names."""
    by_name: dict[str, str | int] = {str(column.name): column.name for column in sample.columns}
    by_name |= {name: name for name in sample.lists}
    kept: dict[str, Chosen] = {}
    for field, column in former.get("columns", NONE).items():
        names = _names(sample, former, field)
        if field == "slices" or not set(names) <= by_name.keys() or (field in ("text", "label") and not names):
            continue
        columns = [by_name[name] for name in names]
        kept[field] = columns if isinstance(column, list) else columns[0] if columns else None
    return kept


def kept_values(
    sample: Sample, own: Mapping[str, Any], former: Mapping[str, Any], columns: Mapping[str, Chosen]
) -> dict[str, Any]:
    """The values of params.yaml about the labels and the slices, as they are now, by their full keys.

    A label of the same column is the same one, under whatever name the file is: what is said of it stays.

    Args:
        sample: The file.
        own: The section download.dataset so far, if it is a person's own.
        former: That section, if the file has new rows of that data set.
        columns: The column for each field now.
    """
    same = bool(own) and _names(sample, own, "label") == names_of(sample, columns.get("label"))
    values: dict[str, Any] = {} if same else dict(OF_OTHER_LABELS)
    if former:
        names = {str(column.name) for column in sample.columns}
        slices = former["columns"]["slices"]
        values[f"{DATASET}.columns.slices"] = [column for column in slices if own_name(sample, str(column)) in names]
        values |= {f"{DATASET}.labels": former["labels"]} if same else {}
    return values


def lost_keys(sample: Sample, former: Mapping[str, Any], columns: Mapping[str, Chosen]) -> list[str]:
    """The keys whose values a person may miss where they have changed; not those that only describe the new file.

    Args:
        sample: The file.
        former: The section download.dataset so far, if the file has new rows of that data set.
        columns: The column for each field now.
    """
    if not former:
        return list(RESET)
    other = [field for field in former["columns"] if field != "slices"]
    other = [field for field in other if _names(sample, former, field) != names_of(sample, columns.get(field))]
    files = former["files"]
    described = bool(sample.splits) or (len(files) == 1 and set(files[0]) == {"source"})
    return [
        *RESET,
        *([] if described else [f"{DATASET}.files"]),
        *SET_BY_PERSON,
        *(f"{DATASET}.columns.{field}" for field in other),
    ]


def values_if_new(
    file: Path, reading: Mapping[str, Any], options: Mapping[str, Option], *, path: str
) -> dict[str, Any]:
    """What init would write if the file were of a new data set, by full key, but for where the file is.

    Args:
        file: The file or folder.
        reading: What a person sets of how it is read, by key of download.dataset.
        options: What a person says of the columns, by field.
        path: Where the file is in the project.
    """
    sample, columns = Sample("csv"), dict[str, Chosen]()
    with contextlib.suppress(DataError):  # what can't be seen in the file is no value
        sample = describe(file, reading)
        columns = choose_columns(sample, options, {})
    values = params_of(sample, columns, path=path) | OF_OTHER_LABELS
    of_place = (f"{DATASET}.files", f"{DATASET}.folder", f"{DATASET}.format")
    return {key: value for key, value in values.items() if key not in of_place}


def _names(sample: Sample, dataset: Mapping[str, Any], field: str) -> list[str]:
    """The file's own names of the columns that params.yaml has for a field; no comma divides them."""
    columns = dataset.get("columns", NONE).get(field)
    listed = columns if isinstance(columns, list) else [] if columns is None else [columns]
    return [own_name(sample, str(column)) for column in listed]
