"""Names of the classes, and their order, which does not depend on the order of the rows."""

from collections.abc import Collection, Mapping

from stages.errors import DataError
from stages.messages import examples, short


def rename(value: str, names: Mapping[str, str]) -> str | None:
    """Return the class name of a label value; None where there are `names` without this value."""
    return names.get(value) if names else value


def in_class_order(present: Collection[str], names: Mapping[str, str]) -> list[str]:
    """Return the class names in class order: that of `names`, else by number where all are numbers, else by name.

    Args:
        present: Class names that rows have.
        names: Class name of each label value; empty: the values are the names.

    Raises:
        DataError: No row has a name of `names`, or there are fewer than two classes.
    """
    if names:
        labels = list(dict.fromkeys(names.values()))
        absent = [label for label in labels if label not in present]
        if absent:
            raise DataError(
                f"download.dataset.labels names [{examples(absent)}], but no row has that label. "
                f"The rows have: [{examples(sorted(present))}]."
            )
    else:
        labels = sorted(present, key=_by_number) if all(map(_is_number, present)) else sorted(present)
    if len(labels) < 2:
        raise DataError(
            f"All rows have the label {short(labels[0])}, but a classifier needs at least two labels. "
            "Correct download.dataset.columns.label, or add rows."
        )
    return labels


def _is_number(label: str) -> bool:
    try:
        return float(label) == float(label)
    except ValueError:
        return False


def _by_number(label: str) -> tuple[float, str]:
    return float(label), label
