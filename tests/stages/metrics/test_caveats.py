"""Which intervals are marked as rough, and why."""

import numpy as np
import pytest

from stages.metrics.caveats import by_reason, caveat, number_caveat, numbers_by_reason, set_caveat, sets_by_reason

LABELS = np.arange(60) % 3
FIVE_WRONG = np.where(np.arange(60) < 5, (LABELS + 1) % 3, LABELS)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "auroc", "calibrated_log_loss", "ece"])
def test_enough_rows_of_every_kind_need_no_caveat(metric: str) -> None:
    assert caveat(metric, LABELS, [FIVE_WRONG], None) is None
    labels, preds = np.tile(LABELS, 5), np.tile(FIVE_WRONG, 5)
    groups = np.arange(300) // (5 if metric == "ece" else 25)  # 60 or 12
    assert caveat(metric, labels, [preds], groups) is None
    assert caveat(metric, labels, [preds], np.maximum(groups, 1)) is not None


@pytest.mark.parametrize(
    ("wrong", "reason"), [(0, "no row is wrong"), (1, "only 1 row is wrong"), (4, "only 4 rows are wrong")]
)
def test_few_rows_wrong(wrong: int, reason: str) -> None:
    preds = np.where(np.arange(60) < wrong, (LABELS + 1) % 3, LABELS)
    assert caveat("accuracy", LABELS, [preds], None) == reason
    assert caveat("brier", LABELS, [preds, preds], None) == reason


def test_rows_wrong_are_those_of_the_mean_model() -> None:
    assert caveat("accuracy", LABELS, [FIVE_WRONG, LABELS], None) == "only 2.5 rows are wrong"


@pytest.mark.parametrize(
    ("metric", "marked"),
    [
        *((name, True) for name in ("macro_f1", "balanced_accuracy", "mcc", "kappa", "quadratic_kappa")),
        *((name, True) for name in ("auroc", "average_precision")),
        *((name, False) for name in ("accuracy", "weighted_f1", "log_loss", "calibrated_brier", "ece")),
    ],
)
def test_few_rows_of_a_class_count_for_metrics_by_class(metric: str, marked: bool) -> None:
    labels, preds = np.append(LABELS, [3, 3]), np.append(FIVE_WRONG, [3, 3])
    assert (caveat(metric, labels, [preds], None) == "a class has only 2 rows") == marked


@pytest.mark.parametrize(("classes", "marked"), [(1, False), (3, False), (4, True), (30, True)])
def test_many_rows_of_rare_classes_count_for_weighted_f1(classes: int, marked: bool) -> None:
    rare = np.repeat(np.arange(classes) + 3, 4)  # 4 rows each
    reason = caveat("weighted_f1", np.append(LABELS, rare), [np.append(FIVE_WRONG, rare)], None)
    share = f"{4 * classes / (60 + 4 * classes):.0%}"
    assert reason == (f"{share} of the rows are of classes with fewer than 5 rows" if marked else None)


@pytest.mark.parametrize("wrong", [0, 1, 20])
@pytest.mark.parametrize("metric", ["mcc", "kappa", "quadratic_kappa", "auroc", "average_precision"])
def test_of_rows_of_one_class_the_reason_is_the_class(metric: str, wrong: int) -> None:
    preds = (np.arange(60) < wrong).astype(np.int64)
    assert (
        caveat(metric, np.zeros(60, np.int64), [preds], None) == "all rows have one label, of which it measures nothing"
    )
    assert "label" not in str(caveat("macro_f1", np.zeros(60, np.int64), [preds], None))


@pytest.mark.parametrize(
    ("rows_each", "reason"), [(6, "the rows belong to only 10 groups"), (60, "the rows belong to only 1 group")]
)
def test_few_groups(rows_each: int, reason: str) -> None:
    assert caveat("accuracy", LABELS, [FIVE_WRONG], np.arange(60) // rows_each) == reason


@pytest.mark.parametrize("metric", ["ece", "calibrated_ece"])
def test_few_rows_count_for_the_calibration_error_alone(metric: str) -> None:
    assert caveat(metric, LABELS[:49], [FIVE_WRONG[:49]], None) == "there are only 49 rows"
    assert caveat(metric, LABELS[:50], [FIVE_WRONG[:50]], None) is None
    assert caveat("brier", LABELS[:49], [FIVE_WRONG[:49]], None) is None
    assert caveat(metric, LABELS[:49], [LABELS[:49]], None) == "no row is wrong"


def test_average_precision_over_many_classes_needs_more_rows_of_each() -> None:
    labels = np.arange(240) % 20
    wrong = [(labels + 1) % 20]
    assert caveat("average_precision", labels, wrong, None) == "a class has only 12 rows"
    assert caveat("auroc", labels, wrong, None) is None
    assert caveat("average_precision", np.arange(280) % 20, [np.arange(1, 281) % 20], None) is None


def test_rows_that_are_few_are_not_groups() -> None:
    labels = np.arange(10) % 2
    assert caveat("accuracy", labels, [1 - labels], np.arange(10)) is None


def test_metrics_by_reason() -> None:
    labels, preds = np.append(LABELS, 3), np.append(FIVE_WRONG, 3)
    assert by_reason(["accuracy", "mcc", "auroc"], labels, [preds], None) == {
        "a class has only 1 row": ["mcc", "auroc"]
    }
    assert by_reason(["accuracy"], labels[:0], [preds[:0]], None) == {}


SQUARES, OTHERS = ("r2", "pearson", "root_mean_squared_error"), ("spearman", "mean_absolute_error")


@pytest.mark.parametrize("metric", [*SQUARES, *OTHERS])
def test_enough_rows_of_numbers_need_no_caveat(metric: str) -> None:
    errors = np.random.default_rng(0).normal(size=120)
    assert number_caveat(metric, errors[:100], None) is None
    assert number_caveat(metric, errors, np.arange(120) // 10) is None
    assert number_caveat(metric, errors, np.arange(120) // 11) == "the rows belong to only 11 groups"


def test_few_rows_do_not_know_the_largest_errors() -> None:
    errors = np.random.default_rng(0).normal(size=99)
    assert numbers_by_reason([*SQUARES, *OTHERS], errors, None) == {"there are only 99 rows": list(SQUARES)}
    assert numbers_by_reason(SQUARES, errors[:0], None) == {}


@pytest.mark.parametrize(
    ("rows", "error", "share"), [(100, 6.0, "27%"), (101, 4.9, None), (31, 6.0, "55%"), (31, 4.2, None)]
)
def test_one_row_with_most_of_the_squared_errors_is_a_caveat(rows: int, error: float, share: str | None) -> None:
    errors = np.ones(rows)
    errors[7] = -error
    reason = None if share is None else f"one row has {share} of the squared errors"
    assert number_caveat("mean_absolute_error", errors, None) == reason


def test_numbers_that_are_all_right_need_no_caveat() -> None:
    assert number_caveat("r2", np.zeros(200), None) is None


def flags(*columns: int, rows: int = 60) -> np.ndarray:
    """Each label is that of the first rows, as many as it says."""
    return np.arange(rows)[:, None] < np.array(columns)


@pytest.mark.parametrize(
    ("metric", "labels", "preds", "reason"),
    [
        ("macro_f1", (30, 5), (30, 5), None),
        ("macro_f1", (30, 9), (30, 4), "a label is predicted right in only 4 rows"),
        ("macro_f1", (30, 1), (30, 9), "a label is predicted right in only 1 row"),
        ("average_precision", (30, 5), (30, 0), None),
        ("average_precision", (30, 4), (30, 4), "a label has only 4 rows"),
        ("average_precision", (13,) * 20, (13,) * 20, "a label has only 13 rows"),
        ("average_precision", (14,) * 20, (14,) * 20, None),
        ("micro_f1", (30, 1), (30, 0), None),
    ],
)
def test_means_over_labels_are_rough_where_a_label_is_rare(
    metric: str, labels: tuple[int, ...], preds: tuple[int, ...], reason: str | None
) -> None:
    assert set_caveat(metric, flags(*labels), flags(*preds), None) == reason


def test_every_metric_of_sets_of_few_groups_is_rough() -> None:
    few = np.arange(60) // 6
    assert sets_by_reason(["micro_f1", "brier"], flags(30), flags(30), few) == {
        "the rows belong to only 10 groups": ["micro_f1", "brier"]
    }
    assert sets_by_reason(["micro_f1"], flags(30)[:0], flags(30)[:0], None) == {}
