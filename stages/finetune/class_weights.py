"""Weights of the classes in the loss."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from stages.errors import DataError, ParamsError
from stages.messages import examples
from stages.row_labels import count_labels


def label_weights(
    choice: str | Mapping[str | int, float], *, labels: Sequence[str], train_labels: NDArray[Any]
) -> list[float] | None:
    """Return the weight of each class, or of having each label of a set; None if all weigh the same.

    Args:
        choice: `none`, `balanced` (rows / (classes * rows of the class); of a set's labels, rows without / rows with
            it) or a weight (> 0) for every label.
        labels: Names of the classes in class order.
        train_labels: Label index of each row of train, (rows,); or flags of its labels, (rows, num_labels).

    Raises:
        ParamsError: The labels of `choice` are not those of the data set.
        DataError: `choice` is `balanced`, and a class has no row in train.
    """
    if choice == "none":
        return None
    if not isinstance(choice, Mapping):
        return _balanced(labels, train_labels)
    weights = {str(label): weight for label, weight in choice.items()}
    if set(weights) != set(labels):
        known = set(labels)
        differing = {
            "unknown": [label for label in weights if label not in known],
            "missing": [label for label in labels if label not in weights],
        }
        problems = ", ".join(f"{problem} [{examples(names)}]" for problem, names in differing.items() if names)
        raise ParamsError(
            f"finetune.class_weights must give a weight to every label: {problems}. "
            f"The labels are [{examples(labels)}]."
        )
    return [float(weights[label]) for label in labels]


def _balanced(labels: Sequence[str], train_labels: NDArray[Any]) -> list[float]:
    counts = count_labels(train_labels, num_labels=len(labels))
    if not counts.all():
        empty = [label for label, count in zip(labels, counts, strict=True) if not count]
        raise DataError(
            f"finetune.class_weights is balanced, but train has no row of [{examples(empty)}]. "
            "Set finetune.class_weights to none, or add rows of these labels."
        )
    rows = len(train_labels)
    weights = rows / (len(labels) * counts) if train_labels.ndim == 1 else (rows - counts) / counts
    return [float(weight) for weight in weights]
