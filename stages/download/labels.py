"""Names of the classes, and their order, which does not depend on the order of the rows."""

from collections.abc import Collection, Mapping, Sequence

from stages.errors import DataError
from stages.messages import examples, short


def rename(value: str, names: Mapping[str, str]) -> str | None:
    """Return the class name of a label value; None where there are `names` without this value."""
    return names.get(value) if names else value


def in_class_order(present: Collection[str], names: Mapping[str, str], order: Sequence[str] = ()) -> list[str]:
    """Return the class names in class order.

    The order of `names` has no meaning: to DVC, two mappings in another order are equal.

    Args:
        present: Class names that rows have.
        names: Class name of each label value; empty: the values are the names.
        order: The class names in class order; empty: the order of the label values, by number where all are numbers,
            else by name.

    Raises:
        DataError: No row has a name of `names` or `order`, `order` lacks a class or has one twice, or there are fewer
            than two classes.
    """
    values = names or {label: label for label in present}
    sorted_values = sorted(values, key=_by_number) if all(map(_is_number, values)) else sorted(values)
    labels = list(order) or list(dict.fromkeys(values[value] for value in sorted_values))
    key = "label_order" if order else "labels"
    if absent := [label for label in labels if label not in present]:
        raise DataError(
            f"download.dataset.{key} names [{examples(absent)}], but no row has that label. "
            f"The rows have: [{examples(sorted(present))}]."
        )
    if sorted(labels) != sorted(present):
        raise DataError(
            f"download.dataset.label_order is [{examples(labels)}], but the rows have [{examples(sorted(present))}]. "
            "List each label once."
        )
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
