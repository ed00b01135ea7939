"""How metrics are named, which ones lead, and for which ones lower is better."""

import math
from collections.abc import Collection

SPLITS = ("test", "val")  # in the order in which their metrics are shown
HEADLINE = ("accuracy", "macro_f1", "mcc")  # `evaluate.metric` comes before them
OF_ORDERED = ("quadratic_kappa", "mean_absolute_error")  # before them, where the classes are in a row
OF_NUMBERS = ("r2", "mean_absolute_error", "root_mean_squared_error")  # the same, where the label is a number
OF_SETS = ("micro_f1", "macro_f1", "sample_f1", "subset_accuracy")  # the same, where a row has any number of labels
CAN_LEAD = frozenset((*HEADLINE, *OF_ORDERED, *OF_NUMBERS, *OF_SETS))  # beside `evaluate.metric`
LOWER_IS_BETTER = frozenset(
    {"mean_absolute_error", "root_mean_squared_error", "log_loss", "brier", "ece", "hamming_loss"}
)
NEED_CLASSES = frozenset({"mcc", "kappa", "quadratic_kappa", "auroc", "average_precision"})  # of one class they are 0/0
RANGES = {  # lowest and highest value; of all others 0 and 1
    **dict.fromkeys(("mcc", "kappa", "quadratic_kappa", "pearson", "spearman"), (-1.0, 1.0)),
    **dict.fromkeys(("log_loss", "mean_absolute_error", "root_mean_squared_error"), (0.0, math.inf)),
    "r2": (-math.inf, 1.0),
    "brier": (0.0, 2.0),
}
SHOWN_STEP = 1e-3  # between two values that people see as different
CALIBRATED = "calibrated_"  # before the name of a metric that is scored after temperature scaling


def metric_name(split: str, metric: str) -> str:
    """Return a metric's full name: `test.macro_f1`."""
    return f"{split}.{metric}"


def headline_metrics(metric: str, names: Collection[str]) -> list[str]:
    """Return the metrics that lead: `metric`, then the usual ones.

    Args:
        metric: `evaluate.metric`.
        names: The metrics that the results have, which tell the kind of target; no other is returned.
    """
    in_order = (*OF_ORDERED, *HEADLINE) if metric == "quadratic_kappa" else HEADLINE
    usual = OF_SETS if "subset_accuracy" in names else OF_NUMBERS if "r2" in names else in_order
    return [name for name in dict.fromkeys([metric, *usual]) if name in names]


def leading_metric(names: Collection[str]) -> str:
    """Return the metric that leads where `evaluate.metric` is auto, by the metrics that the results have."""
    of_kinds = {"quadratic_kappa": "quadratic_kappa", "r2": "r2", "subset_accuracy": "micro_f1"}
    return next((metric for name, metric in of_kinds.items() if name in names), "macro_f1")


def lower_is_better(name: str) -> bool:
    """Say whether a metric, with its split or without, is better the lower it is."""
    return name.rpartition(".")[2].removeprefix(CALIBRATED) in LOWER_IS_BETTER


def value_range(name: str) -> tuple[float, float]:
    """Return the lowest and the highest value of a metric, with its split or without."""
    return RANGES.get(name.rpartition(".")[2].removeprefix(CALIBRATED), (0.0, 1.0))
