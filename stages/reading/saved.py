"""A data set of `datasets` as `save_to_disk` writes it: a folder of Arrow files, or such a folder for each split."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.errors import DataError
from stages.messages import NAMES, examples, plain, short
from stages.reading.regular_files import open_file
from stages.reading.splits import log_splits, official_split

SPLITS_FILE, STATE, INFO = "dataset_dict.json", "state.json", "dataset_info.json"
FILE = re.compile(r"[\w-][\w.-]*\.arrow", re.ASCII)  # in the folder itself
LONGEST = 20_000_000  # bytes of a JSON file


@dataclass(frozen=True)
class SavedSplit:
    """One split of a saved data set.

    Args:
        name: Of the split; None: the data set has no splits.
        files: Its Arrow files, in order.
        classes: Class names of the columns that hold class indices.
    """

    name: str | None
    files: Sequence[Path]
    classes: Mapping[str, Sequence[str]]


def saved_splits(folder: Path, name: str) -> list[SavedSplit]:
    """Return the splits of a saved data set; none where the folder is no such data set.

    Args:
        folder: The folder.
        name: What messages call it.

    Raises:
        DataError: Its files don't say which Arrow files it has.
    """
    if (folder / STATE).exists():
        return [_split(folder, None, name)]
    if not (folder / SPLITS_FILE).exists():
        return []
    splits = _read(folder / SPLITS_FILE, name).get("splits")
    if not isinstance(splits, list) or not all(
        isinstance(split, str) and re.fullmatch(r"[\w-][\w.-]*", split) for split in splits
    ):
        raise DataError(f"{name}: {SPLITS_FILE} names no splits. Save the data set again.")
    return [_split(folder / split, split, f"{name}/{split}") for split in splits]


def chosen_splits(splits: Sequence[SavedSplit], member: str | None, name: str) -> list[SavedSplit]:
    """Return the split that `member` names, or those that are train, validation or test; say which are not read.

    Raises:
        DataError: There is no such split.
    """
    present = [split.name for split in splits if split.name is not None]
    if member is None:
        wanted = [split for split in splits if split.name is None or official_split(split.name)]
    else:
        wanted = [split for split in splits if split.name == member]
    if not wanted:
        problem = (
            "none of its splits is train, validation or test" if member is None else f"it has no split {short(member)}"
        )
        raise DataError(
            f"{name}: {problem}. It has: {examples(present, most=NAMES, show=plain)}. Name one as `member`."
        )
    if member is None:
        log_splits(name, present, [split.name for split in wanted if split.name is not None])
    return wanted


def _split(folder: Path, split: str | None, name: str) -> SavedSplit:
    state = _read(folder / STATE, name)
    if state.get("_indices_data_files"):
        raise DataError(f"{name} is a selection of rows that are not stored in order. Save it after flatten_indices().")
    listed = state.get("_data_files")
    names = (
        [file.get("filename") if isinstance(file, dict) else None for file in listed]
        if isinstance(listed, list)
        else []
    )
    for file in names or [None]:
        if not isinstance(file, str) or not FILE.fullmatch(file):
            raise DataError(
                f"{name}: {STATE} names {short(file)}, not an Arrow file beside it. Save the data set again."
            )
    features = _read(folder / INFO, name).get("features")
    return SavedSplit(
        split, [folder / str(file) for file in names], _classes(features if isinstance(features, dict) else {})
    )


def _classes(features: Mapping[str, Any]) -> dict[str, list[str]]:
    columns = {column: feature for column, feature in features.items() if isinstance(feature, dict)}
    lists = {column: feature.get("feature") for column, feature in columns.items()}  # what a list holds
    columns |= {column: inner for column, inner in lists.items() if isinstance(inner, dict)}
    return {
        column: [str(name) for name in feature["names"]]
        for column, feature in columns.items()
        if feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list)
    }


def _read(path: Path, name: str) -> dict[str, Any]:
    with open_file(path, f"{name}/{path.name}") as file:
        try:
            value = json.loads(file.read(LONGEST))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{name}/{path.name} is not JSON: {error}. Save the data set again.") from error
    if not isinstance(value, dict):
        raise DataError(f"{name}/{path.name} is not a JSON object. Save the data set again.")
    return value
