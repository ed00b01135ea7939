"""Verdicts on metrics, from paired rows and from two intervals."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pipeline.comparison.seed_predictions import SeedPredictions
from pipeline.comparison.statistics.differences import compare_preds, min_detectable
from pipeline.comparison.verdicts import (
    ComparisonOptions,
    MetricRow,
    compare_intervals,
    compare_paired,
    overall_verdict,
    read_options,
)
from stages.metrics.bootstrap import Bootstrap
from stages.metrics.summary import MetricSummary
from tests.pipeline.comparison.builders import paired, predictions

OPTIONS = ComparisonOptions(metric="mcc", bootstrap=Bootstrap(resamples=300, confidence=0.95, seed=1))


def test_a_lower_log_loss_is_better() -> None:
    for name in ("test.log_loss", "val.calibrated_log_loss"):
        assert MetricRow(name, 0.5, 0.6, 0.05, 0.15).largest_drop == 0.15
    assert MetricRow("test.mcc", 0.5, 0.6, 0.05, 0.15).largest_drop == -0.05
    assert MetricRow("test.mcc", 0.5, 0.6, None, None).largest_drop is None


def test_a_row_without_a_verdict_keeps_its_numbers() -> None:
    row = MetricRow("test.mcc", 0.5, 0.6, 0.05, 0.15, 0.01, "better", 0.02, paired=False, seeds_share=0.3)
    assert row.without_verdict() == MetricRow("test.mcc", 0.5, 0.6, 0.05, 0.15, paired=False, seeds_share=0.3)


def side(mean: float, width: float = 0.05) -> dict[str, MetricSummary]:
    return {"test.mcc": MetricSummary(mean=mean, low=mean - width, high=mean + width)}


def test_two_intervals_are_compared_as_independent() -> None:
    (near,) = compare_intervals(side(0.6), side(0.65), "test", OPTIONS)
    (far,) = compare_intervals(side(0.6), side(0.7), "test", OPTIONS)
    assert (near.name, near.verdict, far.verdict) == ("test.mcc", "within noise", "better")
    assert (near.base, near.head, near.paired) == (0.6, 0.65, False)
    assert near.low == pytest.approx(0.05 - 0.05 * 2**0.5)
    assert near.high == pytest.approx(0.05 + 0.05 * 2**0.5)
    error = 0.05 * 2**0.5 / stats.norm.ppf(0.975)
    assert near.p_value == pytest.approx(2 * stats.norm.sf(0.05 / error))
    assert near.min_detectable == pytest.approx(error * (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)))


def test_intervals_of_no_width_differ_or_are_equal() -> None:
    (equal,) = compare_intervals(side(0.6, 0.0), side(0.6, 0.0), "test", OPTIONS)
    (lower,) = compare_intervals(side(0.6, 0.0), side(0.5, 0.0), "test", OPTIONS)
    assert (equal.verdict, equal.p_value) == ("within noise", 1.0)
    assert (lower.verdict, lower.p_value) == ("worse", 0.0)


def test_only_metrics_of_the_split_that_both_have_with_an_interval_are_compared() -> None:
    assert compare_intervals({}, side(0.6), "test", OPTIONS) == []
    assert compare_intervals(side(0.6), side(0.6), "val", OPTIONS) == []
    for low, high in ((None, None), (0.5, None), (None, 0.7)):
        no_interval = {"test.mcc": MetricSummary(mean=0.6, low=low, high=high)}
        assert compare_intervals(no_interval, side(0.6), "test", OPTIONS) == []
        assert compare_intervals(side(0.6), no_interval, "test", OPTIONS) == []


def test_a_metric_where_lower_is_better_gets_the_verdict_the_other_way_round() -> None:
    options = ComparisonOptions(metric="log_loss", bootstrap=OPTIONS.bootstrap)
    base, head = ({"test.log_loss": MetricSummary(mean, None, mean - 0.01, mean + 0.01)} for mean in (0.5, 0.4))
    assert compare_intervals(base, head, "test", options)[0].verdict == "better"
    assert compare_intervals(head, base, "test", options)[0].verdict == "worse"


IDS, LABELS = [str(row) for row in range(200)], [row % 2 for row in range(200)]


def model(wrong: int) -> SeedPredictions:
    """Predictions that are wrong for the first rows."""
    right = [row >= wrong for row in range(200)]
    values = [[0.9, 0.1] if (label == 0) == ok else [0.1, 0.9] for label, ok in zip(LABELS, right, strict=True)]
    return predictions(IDS, LABELS, values)


def test_the_headline_comes_first_and_only_it_has_verdicts() -> None:
    pairs = paired(model(60), model(10))
    metrics = compare_paired(pairs, "test", OPTIONS)
    assert [row.name for row in metrics if row.verdict] == ["test.mcc", "test.accuracy", "test.macro_f1"]
    assert {row.verdict for row in metrics[:3]} == {"better"}
    accuracy, loss = (next(row for row in metrics if row.name == f"test.{name}") for name in ("accuracy", "log_loss"))
    assert (accuracy.base, accuracy.head, accuracy.paired) == (0.7, 0.95, True)
    assert accuracy.p_value == pytest.approx(max(3 * 2 * 0.5**50, 3 * 2 / 301))  # Holm, and what 300 resamples can show
    assert loss.base == pytest.approx(-0.7 * np.log(0.9) - 0.3 * np.log(0.1), rel=1e-6)
    preds = [side.preds for side in (pairs.base, pairs.head)]
    difference = compare_preds(pairs.labels, *preds, num_labels=2, bootstrap=OPTIONS.bootstrap)["accuracy"]
    assert accuracy.min_detectable == min_detectable(difference, confidence=0.95, tests=3)  # corrected as the p-values
    assert loss.p_value is None
    assert loss.min_detectable is None
    identical = compare_paired(paired(pairs.head, pairs.head), "test", OPTIONS)
    assert {row.verdict for row in identical[:3]} == {"identical"}


def test_a_p_value_at_the_limit_is_no_noise() -> None:
    # 11 resamples can show a p-value of 2 / 12, and Holm multiplies it by the 3 headline metrics.
    for confidence, verdict in ((0.5, "better"), (0.51, "within noise")):
        options = ComparisonOptions("mcc", Bootstrap(resamples=11, confidence=confidence, seed=1))
        first = compare_paired(paired(model(60), model(10)), "test", options)[0]
        assert (first.p_value, first.verdict) == (0.5, verdict)


def test_the_share_of_seeds_is_that_of_the_difference() -> None:
    def several(*wrong: int) -> SeedPredictions:
        values = {seed: model(count).probabilities[1] for seed, count in enumerate(wrong)}
        return replace(model(0), probabilities=values)

    pairs = paired(several(40, 60), several(10, 30))
    rows = {row.name: row for row in compare_paired(pairs, "test", OPTIONS)}
    preds = [side.preds for side in (pairs.base, pairs.head)]
    difference = compare_preds(pairs.labels, *preds, num_labels=2, bootstrap=OPTIONS.bootstrap)["accuracy"]
    assert difference.seeds_share is not None
    assert rows["test.accuracy"].seeds_share == difference.seeds_share > 0
    assert compare_paired(paired(model(60), model(10)), "test", OPTIONS)[0].seeds_share is None


@pytest.mark.parametrize(
    ("head", "base", "expected"),
    [
        ({}, {}, ("macro_f1", 2000, 0.95, 42)),
        ({"evaluate": None}, {"evaluate": {"metric": "mcc"}}, ("mcc", 2000, 0.95, 42)),
        ({"evaluate": {"resamples": 100, "seed": 7}}, {"evaluate": {"seed": 8}}, ("macro_f1", 100, 0.95, 7)),
        ({"evaluate": {"confidence": 0.9}}, {"evaluate": {"resamples": 500}}, ("macro_f1", 500, 0.9, 42)),
    ],
)
def test_options_are_those_of_head_then_of_base(head: Any, base: Any, expected: tuple[object, ...]) -> None:
    options = read_options(SimpleNamespace(params=head), SimpleNamespace(params=base))  # type: ignore[arg-type]
    bootstrap = options.bootstrap
    assert (options.metric, bootstrap.resamples, bootstrap.confidence, bootstrap.seed) == expected


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["worse", "within noise"], "worse"),
        (["better", "within noise"], "better"),
        (["better", "worse"], "mixed"),
        (["within noise", "identical"], "within noise"),
        (["identical"], "identical"),
        ([], "unknown"),
    ],
)
def test_one_verdict_for_all(verdicts: list[str], expected: str) -> None:
    rows = [MetricRow(f"test.m{number}", 0, 0, 0, 0, verdict=verdict) for number, verdict in enumerate(verdicts)]  # type: ignore[arg-type]
    assert overall_verdict([*rows, MetricRow("val.mcc", 0, 0, 0, 0, verdict="worse")]) == expected
