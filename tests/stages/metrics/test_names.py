"""Names of metrics: full names, the headline, and which direction is better."""

import pytest

from stages.metrics.names import headline_metrics, lower_is_better, metric_name


def test_a_full_name_says_the_split() -> None:
    assert metric_name("test", "macro_f1") == "test.macro_f1"


def test_the_chosen_metric_leads_and_stands_once() -> None:
    assert headline_metrics("mcc") == ["mcc", "accuracy", "macro_f1"]
    assert headline_metrics("log_loss") == ["log_loss", "accuracy", "macro_f1", "mcc"]


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
