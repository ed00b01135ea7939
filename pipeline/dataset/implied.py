"""What another data set implies for params.yaml: the format that its name stands for, and a title of its own."""

import contextlib
import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pipeline.dataset.formats import known_format
from stages.params import Steps

FORMAT, TITLE = ("download", "dataset", "format"), ("report", "title")


def implied_values(
    before: Mapping[str, Any], after: Mapping[str, Any], *, chosen: Collection[Steps]
) -> dict[tuple[str, ...], Any]:
    """The values to set, by their steps, because the data files of params.yaml have changed.

    A file under another path is the same data set if its name, or that of the member of an archive, is the same.

    Args:
        before: The values of a recipe.
        after: Those with a person's own changes.
        chosen: What that person has set, which stays.

    Raises:
        DataError: The name of a file says that it can't be read.
    """
    old, new = list(_data_files(before)), list(_data_files(after))
    if not new or new == old:
        return {}
    implied: dict[tuple[str, ...], Any] = {}
    formats = {known_format(source, member) for source, member in new} if FORMAT not in chosen else set()
    if len(formats) == 1 and (only := formats.pop()):
        implied[FORMAT] = only
    names = data_names(after)
    if TITLE not in chosen and not set(names) <= set(data_names(before)):
        implied[TITLE] = title_of(names)
    return implied


def title_of(names: Iterable[str]) -> str:
    """A title for the data set in these files: `App reviews` for `app_reviews.csv`."""
    stems = dict.fromkeys(name.partition(".")[0].replace("_", " ").replace("-", " ").strip("* ") for name in names)
    title = ", ".join(stem for stem in stems if stem) or "Own data"
    return title[0].upper() + title[1:]


def data_names(values: Mapping[str, Any]) -> list[str]:
    """The names of the data files of params.yaml, without their folders."""
    return [_name(*file) for file in _data_files(values)]


def _name(source: str, member: str | None) -> str:
    path = source.partition("@" if source.startswith("hf://") else "?")[0]  # without the revision, or the query
    return posixpath.basename((member or path).rstrip("/"))


def _data_files(values: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """The source and the member of each data file; none where the values have another form, which is named later."""
    with contextlib.suppress(KeyError, TypeError, AttributeError):
        for file in values["download"]["dataset"]["files"]:
            if isinstance(file["source"], str):
                yield file["source"], file.get("member")
