"""What a folder holds: a folder per class, such folders for each split, or a data set that `datasets` saved."""

from collections.abc import Collection
from pathlib import Path

from pipeline.dataset.formats import ODD, known_format
from pipeline.dataset.sample import Sample, read_sample
from stages.errors import DataError
from stages.messages import NAMES, examples, plain
from stages.reading.saved import saved_splits
from stages.reading.splits import official_split
from stages.reading.system_files import is_system_file


def describe_folder(folder: Path, file_format: str | None = None) -> Sample:
    """How a folder is to be read: classes have no columns, a saved data set has those of its first file.

    Args:
        folder: The folder.
        file_format: The format that a person chose, if any.

    Raises:
        DataError: It is no such folder; the message names what is in the way.
    """
    if file_format in (None, "arrow") and (splits := saved_splits(folder, str(folder))):
        names = [split.name for split in splits if split.name is not None]
        read = [split for split in splits if split.name is None or official_split(split.name)] or splits
        return read_sample(read[0].files[0], "arrow").with_notes(_splits_note(names))
    if file_format not in (None, "folders"):
        raise DataError(f"{folder} is a folder, but download.dataset.format is {file_format}. Name a file in it.")
    folders, beside = _inside(folder)
    parts = {part.name: split for part in folders if (split := official_split(part.name)) and _inside(part)[0]}
    if len(parts) < len(folders):
        _refuse_some_splits(folder, folders, parts)
        parts = {}
    classes = _inside_all([folder / part for part in parts] or [folder])
    if len(classes) < 2 or any(map(_is_data, beside)):
        data = next(filter(_is_data, beside), None)
        way = f": {plain(data)} lies beside its folders" if data and folders else ""
        raise DataError(
            f"{folder} is a folder, but does not hold one folder of text files per class{way}. Name a file in it, or "
            "several files in download.dataset.files (docs/data.md)."
        )
    beside += [f"{part}/{file}" for part in parts for file in _inside(folder / part)[1]]
    unread = examples(sorted(beside), show=plain)
    return Sample("folders", splits=parts).with_notes(
        ("classes", f"{len(classes)}: {examples(classes, most=NAMES, show=plain)}"),
        ("splits", ", ".join(f"{name} (as {split})" for name, split in parts.items())),
        ("not read", f"{len(beside)} outside the class folders: {unread}" if beside else ""),
    )


def _inside(folder: Path) -> tuple[list[Path], list[str]]:
    """The folders in a folder that hold anything, and the names of the files beside them."""
    children = sorted(child for child in folder.iterdir() if not is_system_file(child.name))
    folders = [child for child in children if child.is_dir()]
    filled = [child for child in folders if any(not is_system_file(inner.name) for inner in child.iterdir())]
    return filled, [child.name for child in children if not child.is_dir()]


def _inside_all(folders: Collection[Path]) -> list[str]:
    """The names of the folders in several folders, each once."""
    return sorted({child.name for folder in folders for child in _inside(folder)[0]})


def _is_data(name: str) -> bool:
    """Whether a file is one of rows, so that a person may have meant it."""
    return Path(name).suffix.lower() not in ODD and known_format(name) not in (None, "lines")


def _refuse_some_splits(folder: Path, folders: Collection[Path], parts: Collection[str]) -> None:
    """Refuse folders of which some are splits and others not, and folders of splits without classes.

    Raises:
        DataError: They would become classes.
    """
    others = [child.name for child in folders if child.name not in parts]
    if len(folders) > 1 and all(official_split(child.name) for child in folders):
        raise DataError(
            f"{folder}: {examples(others, show=plain)} is named after a split, but holds no folder per class. Move its "
            "files into one folder per class, or move it away; if it is a class, rename it."
        )
    if len(parts) > 1:
        raise DataError(
            f"{folder} has the splits {examples(parts, show=plain)}, but also {examples(others, show=plain)}. "
            "Move these away, or rename them: train, val or test."
        )


def _splits_note(names: Collection[str]) -> tuple[str, str]:
    """Which splits of a saved data set are read, for a person."""
    read = [f"{name} (as {official_split(name)})" for name in names if official_split(name)]
    unread = [name for name in names if not official_split(name)]
    more = f"; not read: {examples(unread, most=NAMES, show=plain)}" if unread else ""
    return "splits", f"{', '.join(read)}{more}"
