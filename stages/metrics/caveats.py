"""Why an interval is rougher than it says: too few rows of a kind for any method (see docs/numbers.md).

Where one of these holds, intervals of 95% contain the truth of 92 to 99% of test sets no longer. The numbers come from
benchmarks/statistics.md.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stages.metrics.calibration import ROWS_PER_BIN
from stages.metrics.names import CALIBRATED, NEED_CLASSES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

FEWEST_WRONG = 5  # rows predicted wrong: with fewer, the interval contains the truth more often than it says
FEWEST_OF_CLASS = 5  # rows of a class, for metrics to which each class counts alike or by its rows' ranks
FEWEST_GROUPS, FEWEST_GROUPS_FOR_CALIBRATION = 12, 60  # groups; the calibration error needs more
FEWEST_ROWS_FOR_CALIBRATION = 2 * ROWS_PER_BIN  # with one bin alone, the interval contains the truth too often
FEWEST_ROWS_FOR_SQUARES = 100  # a mean of squares of numbers depends on the largest errors, which few rows may lack
OF_SQUARES = frozenset({"r2", "pearson", "root_mean_squared_error"})
LARGEST_SHARE = (
    0.2  # of the squared errors, by one row: then there are rows with larger errors, and their share is chance
)
LARGEST_TIMES = 12  # the mean squared error: of few rows one has a larger share, though none stands out
CLASSES_PER_ROW = 1.5  # average precision of few rows is too high, which shows where it is averaged over many classes
BY_CLASS = NEED_CLASSES | {"balanced_accuracy", "macro_f1"}
RARE_SHARE = 0.2  # of the rows, in classes with too few of them: weighted F1 is then about as rough as macro F1


def caveat(metric: str, labels: Ints, preds: Sequence[Ints], groups: Ints | None) -> str | None:
    """Return why the interval of a metric is rough, as a part of a sentence; None if it is not.

    Args:
        metric: Its name, without the split.
        labels: Label of each row; shape (rows,).
        preds: The labels that each model predicts; shape (rows,) each.
        groups: Equal for rows that belong together; shape (rows,). None: each row is its own.
    """
    units = len(labels) if groups is None else len(np.unique(groups))
    of_calibration = metric.removeprefix(CALIBRATED) == "ece"
    fewest_groups = FEWEST_GROUPS_FOR_CALIBRATION if of_calibration else FEWEST_GROUPS
    if units < min(fewest_groups, len(labels)):
        return f"the rows belong to only {_count(units, 'group')}"
    sizes = np.unique(labels, return_counts=True)[1]
    if metric in NEED_CLASSES and len(sizes) == 1:
        return "all rows have one label, of which it measures nothing"
    rarest = int(sizes.min())
    if metric in BY_CLASS and (rarest < FEWEST_OF_CLASS or is_biased(metric, labels)):
        return f"a class has only {_count(rarest, 'row')}"
    rare = float(sizes[sizes < FEWEST_OF_CLASS].sum() / len(labels))
    if metric == "weighted_f1" and rare > RARE_SHARE:
        return f"{rare:.0%} of the rows are of classes with fewer than {FEWEST_OF_CLASS} rows"
    wrong = float(np.mean([np.sum(column != labels) for column in preds]))
    if wrong < FEWEST_WRONG:
        return (
            "only 1 row is wrong" if wrong == 1 else f"only {wrong:.3g} rows are wrong" if wrong else "no row is wrong"
        )
    if of_calibration and len(labels) < FEWEST_ROWS_FOR_CALIBRATION:
        return f"there are only {_count(len(labels), 'row')}"
    return None


def number_caveat(metric: str, errors: Floats, groups: Ints | None) -> str | None:
    """Return why the interval of a metric of predicted numbers is rough, as `caveat`.

    Args:
        metric: Its name, without the split.
        errors: Number minus prediction of each row; shape (rows,).
        groups: Equal for rows that belong together; shape (rows,). None: each row is its own.
    """
    rows, squares = len(errors), errors**2
    units = rows if groups is None else len(np.unique(groups))
    if units < min(FEWEST_GROUPS, rows):
        return f"the rows belong to only {_count(units, 'group')}"
    if metric in OF_SQUARES and rows < FEWEST_ROWS_FOR_SQUARES:
        return f"there are only {_count(rows, 'row')}"
    share = float(squares.max() / squares.sum()) if squares.any() else 0.0
    if share > max(LARGEST_SHARE, LARGEST_TIMES / rows):
        return f"one row has {share:.0%} of the squared errors"
    return None


def set_caveat(metric: str, labels: Flags, preds: Flags, groups: Ints | None) -> str | None:
    """Return why the interval of a metric of label sets is rough, as `caveat`.

    Args:
        metric: Its name, without the split.
        labels: Which labels each row has; shape (rows, num_labels).
        preds: Which labels are predicted; shape (rows, num_labels).
        groups: Equal for rows that belong together; shape (rows,). None: each row is its own.
    """
    rows, num_labels = labels.shape
    units = rows if groups is None else len(np.unique(groups))
    if units < min(FEWEST_GROUPS, rows):
        return f"the rows belong to only {_count(units, 'group')}"
    fewest_hits, rarest = int((labels & preds).sum(0).min()), int(labels.sum(0).min())
    if metric == "macro_f1" and fewest_hits < FEWEST_OF_CLASS:
        return f"a label is predicted right in only {_count(fewest_hits, 'row')}"
    if metric == "average_precision" and rarest < max(FEWEST_OF_CLASS, num_labels / CLASSES_PER_ROW):
        return f"a label has only {_count(rarest, 'row')}"
    return None


def is_biased(metric: str, labels: Ints) -> bool:
    """Whether these rows make a metric so much too high that no interval mends it: average precision of many classes
    with few rows each."""
    sizes = np.unique(labels, return_counts=True)[1]
    return metric == "average_precision" and bool(sizes.min() < len(sizes) / CLASSES_PER_ROW)


def by_reason(metrics: Iterable[str], labels: Ints, preds: Sequence[Ints], groups: Ints | None) -> dict[str, list[str]]:
    """Return the metrics whose interval is rough, by the reason; other arguments as `caveat`."""
    return _by_reason({name: caveat(name, labels, preds, groups) for name in metrics} if len(labels) else {})


def numbers_by_reason(metrics: Iterable[str], errors: Floats, groups: Ints | None) -> dict[str, list[str]]:
    """Return the metrics of numbers whose interval is rough, by the reason; other arguments as `number_caveat`."""
    return _by_reason({name: number_caveat(name, errors, groups) for name in metrics} if len(errors) else {})


def sets_by_reason(metrics: Iterable[str], labels: Flags, preds: Flags, groups: Ints | None) -> dict[str, list[str]]:
    """Return the metrics of label sets whose interval is rough, by the reason; other arguments as `set_caveat`."""
    return _by_reason({name: set_caveat(name, labels, preds, groups) for name in metrics} if len(labels) else {})


def _by_reason(caveats: Mapping[str, str | None]) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for metric, reason in caveats.items():
        if reason:
            reasons.setdefault(reason, []).append(metric)
    return reasons


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
