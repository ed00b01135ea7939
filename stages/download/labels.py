"""Names of the classes: renamed as the user says, in an order that does not depend on the rows' order."""

from collections.abc import Collection, Mapping

from stages.errors import DataError


def rename(value: str, names: Mapping[str, str]) -> str | None:
    """Return the class name of a label value as read; None where `names` is given and does not have it."""
    return names.get(value) if names else value


def in_class_order(found: Collection[str], names: Mapping[str, str]) -> list[str]:
    """Return the class names in class order: as in `names`, else by number where all are numbers, else by name.

    Raises:
        DataError: A name given in `names` is no row's label, or there are fewer than two classes.
    """
    if names:
        labels = list(dict.fromkeys(names.values()))
        absent = [label for label in labels if label not in found]
        if absent:
            raise DataError(
                f"download.dataset.labels names {absent}, but no row has that label. Found: {sorted(found)}."
            )
    else:
        labels = sorted(found, key=_by_number) if all(map(_is_number, found)) else sorted(found)
    if len(labels) < 2:
        raise DataError(f"All rows have one label, {labels}. A classifier needs at least two; is it the right column?")
    return labels


def _is_number(label: str) -> bool:
    try:
        return float(label) == float(label)
    except ValueError:
        return False


def _by_number(label: str) -> tuple[float, str]:
    return float(label), label
