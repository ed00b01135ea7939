"""Names of metrics: full names, the headline, and which direction is better."""

import math

import pytest

from stages.metrics.names import (
    CAN_LEAD,
    OF_NUMBERS,
    OF_ORDERED,
    OF_SETS,
    headline_metrics,
    lower_is_better,
    metric_name,
    value_range,
)

OF_CLASSES = ("mcc", "accuracy", "macro_f1", "micro_f1", "log_loss")


def test_a_full_name_says_the_split() -> None:
    assert metric_name("test", "macro_f1") == "test.macro_f1"


def test_the_chosen_metric_leads_and_stands_once() -> None:
    assert headline_metrics("mcc", OF_CLASSES) == ["mcc", "accuracy", "macro_f1"]
    assert headline_metrics("log_loss", OF_CLASSES) == ["log_loss", "accuracy", "macro_f1", "mcc"]


@pytest.mark.parametrize(
    ("metric", "names", "expected"),
    [
        ("macro_f1", OF_CLASSES, ["macro_f1", "accuracy", "mcc"]),
        ("macro_f1", (*OF_CLASSES, *OF_ORDERED), ["macro_f1", "accuracy", "mcc"]),
        ("quadratic_kappa", (*OF_CLASSES, *OF_ORDERED), [*OF_ORDERED, "accuracy", "macro_f1", "mcc"]),
        ("macro_f1", (*OF_SETS, "log_loss"), ["macro_f1", "micro_f1", "sample_f1", "subset_accuracy"]),
        ("hamming_loss", (*OF_SETS, "hamming_loss"), ["hamming_loss", *OF_SETS]),
        ("mean_absolute_error", OF_NUMBERS, ["mean_absolute_error", "r2", "root_mean_squared_error"]),
        ("macro_f1", ("log_loss",), []),
    ],
)
def test_the_others_of_the_headline_are_those_of_the_kind(
    metric: str, names: tuple[str, ...], expected: list[str]
) -> None:
    assert headline_metrics(metric, names) == expected
    assert set(expected) <= {*CAN_LEAD, metric}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("log_loss", True),
        ("test.log_loss", True),
        ("val.calibrated_brier", True),
        ("calibrated_ece", True),
        ("mean_absolute_error", True),
        ("test.mcc", False),
        ("accuracy", False),
    ],
)
def test_errors_and_losses_are_better_when_lower(name: str, expected: bool) -> None:
    assert lower_is_better(name) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(("accuracy", (0, 1)), ("test.macro_f1", (0, 1)), ("val.calibrated_ece", (0, 1)), ("test.mcc", (-1, 1))),
        *(("calibrated_brier", (0, 2)), ("test.calibrated_log_loss", (0, math.inf)), ("quadratic_kappa", (-1, 1))),
    ],
)
def test_the_range_of_a_metric(name: str, expected: tuple[float, float]) -> None:
    assert value_range(name) == expected
