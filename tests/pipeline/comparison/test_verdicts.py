"""Verdicts on metrics, from paired rows and from two intervals."""

from dataclasses import replace
from statistics import NormalDist
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pipeline.comparison.earlier_results import SeedSpread
from pipeline.comparison.metric_row import MetricRow
from pipeline.comparison.paired_rows import PairedRows
from pipeline.comparison.seed_predictions import SeedPredictions
from pipeline.comparison.verdicts import (
    ComparisonOptions,
    compare_intervals,
    compare_paired,
    overall_verdict,
    read_options,
)
from stages.metrics.bootstrap import Bootstrap
from stages.metrics.calibration import expected_calibration_error
from stages.metrics.estimates import measure
from stages.metrics.names import lower_is_better, value_range
from stages.metrics.summary import MetricSummary
from tests.pipeline.comparison.builders import paired, predictions

OPTIONS = ComparisonOptions(metric="mcc", confidence=0.95)


def test_a_row_without_a_verdict_keeps_its_numbers() -> None:
    row = MetricRow(
        "test.mcc", 0.5, 0.6, 0.05, 0.15, 0.01, "better", 0.02, paired=False, seeds_share=0.3, largest_drop=0.1
    )
    assert row.without_verdict() == MetricRow(
        "test.mcc", 0.5, 0.6, 0.05, 0.15, paired=False, seeds_share=0.3, largest_drop=0.1
    )


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


def test_two_intervals_of_one_seed_get_what_earlier_seeds_add() -> None:
    one = replace(OPTIONS, seeds=(1, 1))
    known = replace(one, spread=SeedSpread(3, 6, {"test.mcc": 0.02**2}))
    alone, both = (compare_intervals(side(0.6), side(0.7), "test", options)[0] for options in (one, known))
    assert alone.verdict == "differ"
    assert both.verdict == "better"
    error = 0.05 / stats.norm.ppf(0.975)
    assert both.high - 0.1 == pytest.approx(stats.norm.ppf(0.975) * (2 * error**2 + 2 * 0.02**2) ** 0.5)


@pytest.mark.parametrize("level", [0.05, 0.01])
def test_the_gates_bound_of_two_intervals_does_not_depend_on_the_level_of_the_verdict(level: float) -> None:
    (row,) = compare_intervals(side(0.6), side(0.65), "test", replace(OPTIONS, level=level))
    assert row.largest_drop == pytest.approx(0.05 * 2**0.5 - 0.05)


def test_only_metrics_of_the_split_that_both_have_with_an_interval_are_compared() -> None:
    assert compare_intervals({}, side(0.6), "test", OPTIONS) == []
    assert compare_intervals(side(0.6), side(0.6), "val", OPTIONS) == []
    for low, high in ((None, None), (0.5, None), (None, 0.7)):
        no_interval = {"test.mcc": MetricSummary(mean=0.6, low=low, high=high)}
        assert compare_intervals(no_interval, side(0.6), "test", OPTIONS) == []
        assert compare_intervals(side(0.6), no_interval, "test", OPTIONS) == []


def test_a_metric_where_lower_is_better_gets_the_verdict_the_other_way_round() -> None:
    options = replace(OPTIONS, metric="log_loss")
    base, head = ({"test.log_loss": MetricSummary(mean, None, mean - 0.01, mean + 0.01)} for mean in (0.5, 0.4))
    assert compare_intervals(base, head, "test", options)[0].verdict == "better"
    assert compare_intervals(head, base, "test", options)[0].verdict == "worse"


IDS, LABELS = [str(row) for row in range(200)], [row % 2 for row in range(200)]


def model(wrong: int, *, seed: int = 1, start: int = 0) -> SeedPredictions:
    """Predictions that are wrong for so many rows from `start` on."""
    right = [not start <= row < start + wrong for row in range(200)]
    values = [[0.9, 0.1] if (label == 0) == ok else [0.1, 0.9] for label, ok in zip(LABELS, right, strict=True)]
    return replace(predictions(IDS, LABELS, values, seed=seed), temperatures={seed: 0.8})


def several(*wrong: int) -> SeedPredictions:
    values = {seed: model(count).probabilities[1] for seed, count in enumerate(wrong)}
    return replace(model(0), probabilities=values, temperatures=dict.fromkeys(values, 0.8))


def verdicts(base: SeedPredictions, head: SeedPredictions, **options: Any) -> dict[str, MetricRow]:
    seeds = len(base.probabilities), len(head.probabilities)
    rows = compare_paired(paired(base, head), "test", replace(OPTIONS, seeds=seeds, **options))
    return {row.name.removeprefix("test."): row for row in rows}


METRICS = {
    *("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "micro_f1", "mcc", "kappa", "auroc"),
    *("average_precision", "log_loss", "brier", "ece"),
    *("calibrated_log_loss", "calibrated_brier", "calibrated_ece"),
}


def test_the_headline_comes_first_and_only_it_has_verdicts() -> None:
    rows = verdicts(several(60, 61), several(10, 11))
    assert [name for name, row in rows.items() if row.verdict] == ["mcc", "accuracy", "macro_f1"]
    assert {row.verdict for row in list(rows.values())[:3]} == {"better"}
    accuracy, loss = rows["accuracy"], rows["log_loss"]
    assert (accuracy.base, accuracy.head, accuracy.paired) == pytest.approx((0.6975, 0.9475, True))
    assert loss.base == pytest.approx(-0.6975 * np.log(0.9) - 0.3025 * np.log(0.1), rel=1e-6)
    assert (loss.p_value, loss.min_detectable, loss.needs) == (None, None, None)
    assert accuracy.seeds_share is not None


def _measure(labels: np.ndarray, side: SeedPredictions, name: str) -> float:
    """The mean over the seeds; the calibration error as it is observed, because a bias that both sides have cancels."""
    models = list(side.probabilities.values())
    if name.endswith("ece"):
        scaled = [side.calibrated(seed) for seed in side.probabilities] if name.startswith("calibrated_") else models
        return float(np.mean([expected_calibration_error(labels, model) for model in scaled]))
    temperatures, bootstrap = list(side.temperatures.values()), Bootstrap(100, 0.95, 1)
    return measure(labels, models, temperatures=temperatures, ordered=False, bootstrap=bootstrap)[name].value


def test_every_metric_of_rows_is_paired_and_measured_as_the_stages_measure_it() -> None:
    base, head = several(40, 60), several(10, 30)
    rows = verdicts(base, head)
    assert rows.keys() == METRICS
    labels = np.array(LABELS)
    for name, row in rows.items():
        measured = [_measure(labels, side, name) for side in (base, head)]
        assert (row.base, row.head) == pytest.approx(measured, abs=1e-6), name
        assert row.paired
        assert row.low is not None
        assert row.low < row.difference < (row.high or 0), name


def test_a_seed_whose_temperature_is_unknown_leaves_calibrated_metrics_unpaired() -> None:
    rows = verdicts(model(40), replace(model(10), temperatures={}))
    assert rows.keys() == {name for name in METRICS if not name.startswith("calibrated_")}


def in_order(rows: PairedRows) -> PairedRows:
    return replace(rows, target=replace(rows.target, kind="ordered"))


@pytest.mark.parametrize("ordered", [True, False])
def test_ordered_classes_have_their_metrics_too(ordered: bool) -> None:
    pairs = in_order(paired(model(40), model(10))) if ordered else paired(model(40), model(10))
    rows = {row.name for row in compare_paired(pairs, "test", OPTIONS)}
    assert ({"test.quadratic_kappa", "test.mean_absolute_error"} <= rows) == ordered


def test_quadratic_kappa_and_the_mean_error_are_judged_first_where_they_lead() -> None:
    pairs = in_order(paired(several(60, 61), several(10, 11)))
    rows = compare_paired(pairs, "test", replace(OPTIONS, metric="quadratic_kappa"))
    judged = [row.name.removeprefix("test.") for row in rows if row.verdict]
    assert judged == ["quadratic_kappa", "mean_absolute_error", "accuracy", "macro_f1", "mcc"]
    assert {row.verdict for row in rows if row.verdict} == {"better"}


@pytest.mark.parametrize(("rows_each", "biased"), [(3, {"test.average_precision"}), (4, set())])
def test_average_precision_of_many_classes_with_few_rows_is_known_to_be_too_high(
    rows_each: int, biased: set[str]
) -> None:
    names = [str(number) for number in range(6)]
    labels = np.repeat(np.arange(6), rows_each)
    sides = [np.random.default_rng(side).dirichlet(np.ones(6), len(labels)) for side in (0, 1)]
    pairs = paired(
        *(predictions(list(map(str, range(len(labels)))), list(labels), side.tolist()) for side in sides), names
    )
    rows = compare_paired(pairs, "test", ComparisonOptions(metric="macro_f1", confidence=0.95))
    assert {row.name for row in rows if row.biased} == biased


def test_the_same_predictions_are_identical_in_every_metric_and_can_not_have_dropped() -> None:
    rows = verdicts(model(40), model(40))
    assert rows.keys() == METRICS
    assert all((row.low, row.high, row.largest_drop, row.base) == (0, 0, 0, row.head) for row in rows.values())
    assert {row.verdict for row in rows.values()} == {"identical", None}


@pytest.mark.parametrize("name", sorted(METRICS))
def test_other_predictions_leave_a_drop_possible_in_every_metric(name: str) -> None:
    head = model(40)
    head = replace(head, probabilities={1: head.probabilities[1] * np.float32(0.999) + np.float32(0.0005)})
    row = verdicts(model(40), head)[name]
    assert row.largest_drop is not None
    assert row.largest_drop > 0.005


@pytest.mark.parametrize("name", sorted(METRICS))
def test_the_direction_of_a_drop_is_that_of_the_metric_both_ways(name: str) -> None:
    worse, better = verdicts(model(10), model(60))[name], verdicts(model(60), model(10))[name]
    assert not worse.gained
    assert better.gained
    assert (worse.largest_drop or 0) > abs(worse.difference)
    assert (better.largest_drop or 0) < 0


@pytest.mark.parametrize("metric", ["kappa", "quadratic_kappa", "mcc", "auroc", "average_precision", "macro_f1", "ece"])
@pytest.mark.parametrize(("rows", "wrong"), [(5, (0, 1)), (6, (1, 1)), (9, (3, 2))])
def test_test_rows_of_one_class_alone_leave_every_metric_of_the_headline_undecided(
    metric: str, rows: int, wrong: tuple[int, int]
) -> None:
    """Metrics that measure nothing there are 0 on both sides, and any difference is possible."""
    ids, labels = [str(row) for row in range(rows)], [0] * rows
    base, head = (
        predictions(ids, labels, [[0.2, 0.7, 0.1]] * count + [[sure, 0.1, 0.9 - sure]] * (rows - count))
        for count, sure in zip(wrong, (0.8, 0.6), strict=True)
    )
    pairs = in_order(paired(base, head, ["1", "2", "3"]))
    first = compare_paired(pairs, "test", ComparisonOptions(metric, 0.95))[0]
    assert (first.name, first.verdict) == (f"test.{metric}", "within noise")
    assert first.low is not None
    assert first.high is not None
    assert first.low < 0 < first.high


def test_metrics_are_tested_in_order_until_one_does_not_differ() -> None:
    rows = verdicts(several(10, 11), several(12, 13))
    assert [row.verdict for row in rows.values()][:3] == ["within noise", "not tested", "not tested"]
    assert rows["mcc"].needs is not None


def test_one_seed_per_side_says_only_that_the_models_differ() -> None:
    rows = verdicts(model(60), model(10))
    assert [row.verdict for row in rows.values()][:3] == ["differ"] * 3
    assert overall_verdict(list(rows.values())) == "differ"
    spread = SeedSpread(4, 8, dict.fromkeys((f"test.{name}" for name in METRICS), 0.01**2))
    assert verdicts(model(60), model(10), spread=spread)["mcc"].verdict == "better"
    apart = SeedSpread(4, 8, dict.fromkeys((f"test.{name}" for name in METRICS), 0.3**2))
    assert verdicts(model(60), model(10), spread=apart)["mcc"].verdict == "within noise"


def test_the_level_widens_the_interval_and_not_the_gates_bound() -> None:
    base, head = several(30, 31), several(20, 21)
    usual, strict = verdicts(base, head)["mcc"], verdicts(base, head, level=0.001)["mcc"]
    assert (strict.low or 0) < (usual.low or 0)
    assert strict.largest_drop == usual.largest_drop
    assert strict.p_value == usual.p_value


@pytest.mark.parametrize("level", [0.9, 0.3, 0.05, 0.001])
@pytest.mark.parametrize("wrong", [10, 12, 20, 40])
def test_the_verdict_is_that_of_the_interval_and_of_the_p_value(wrong: int, level: float) -> None:
    row = verdicts(several(10, 11), several(wrong, wrong + 1), level=level)["mcc"]
    outside = (row.low or 0) > 0 or (row.high or 0) < 0
    assert outside == (row.verdict in ("better", "worse")) == ((row.p_value or 0) < level)


def test_rows_that_belong_together_widen_the_interval() -> None:
    base, head = several(30, 31), several(20, 21)
    groups = np.arange(200) // 20
    apart, together = (
        verdicts(base, replace(head, groups=groups if grouped else np.arange(200)))["mcc"] for grouped in (False, True)
    )
    assert together.difference == pytest.approx(apart.difference)
    assert (together.high or 0) - (together.low or 0) > 1.5 * ((apart.high or 0) - (apart.low or 0))


@pytest.mark.parametrize(
    ("head", "base", "expected"),
    [
        ({}, {}, ("macro_f1", 0.95)),
        ({"evaluate": None}, {"evaluate": {"metric": "mcc"}}, ("mcc", 0.95)),
        ({"evaluate": {"metric": "auto"}}, {"evaluate": {"metric": "mcc"}}, ("quadratic_kappa", 0.95)),
        ({"evaluate": {"confidence": 0.9}}, {"evaluate": {"confidence": 0.8}}, ("macro_f1", 0.9)),
    ],
)
def test_options_are_those_of_head_then_of_base(head: Any, base: Any, expected: tuple[object, ...]) -> None:
    report = {"metric": "quadratic_kappa"}
    sides = (
        SimpleNamespace(params_of_results=head, seeds=[1, 2], report=report),
        SimpleNamespace(params_of_results=base, seeds=[3]),
    )
    options = read_options(*sides)  # type: ignore[arg-type]
    assert (options.metric, options.confidence) == expected
    assert options.level == pytest.approx(1 - options.confidence)
    assert options.seeds == (1, 2)
    assert options.base_confidence == (base.get("evaluate") or {}).get("confidence", options.confidence)


def test_intervals_of_another_confidence_are_read_with_it() -> None:
    def summary(mean: float, confidence: float) -> MetricSummary:
        reach = 0.01 * NormalDist().inv_cdf((1 + confidence) / 2)
        return MetricSummary(mean, low=mean - reach, high=mean + reach)

    for before in (0.8, 0.95, 0.99):
        options = ComparisonOptions("mcc", 0.95, base_confidence=before)
        base, head = {"test.mcc": summary(0.5, before)}, {"test.mcc": summary(0.6, 0.95)}
        (row,) = compare_intervals(base, head, "test", options)
        assert row.low == pytest.approx(0.1 - 1.96 * 0.01 * 2**0.5, abs=1e-4)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["worse", "within noise"], "worse"),
        (["better", "within noise"], "better"),
        (["better", "worse"], "mixed"),
        (["within noise", "not tested"], "within noise"),
        (["differ", "within noise"], "differ"),
        (["identical"], "identical"),
        ([], "unknown"),
    ],
)
def test_one_verdict_for_all(verdicts: list[str], expected: str) -> None:
    rows = [MetricRow(f"test.m{number}", 0, 0, 0, 0, verdict=verdict) for number, verdict in enumerate(verdicts)]  # type: ignore[arg-type]
    assert overall_verdict([*rows, MetricRow("val.mcc", 0, 0, 0, 0, verdict="worse")]) == expected


@pytest.mark.parametrize(
    ("name", "largest"), [("test.macro_f1", 1.0), ("test.mcc", 2.0), ("test.calibrated_brier", 2.0), ("test.ece", 1.0)]
)
def test_no_interval_holds_differences_that_the_metric_cannot_have(name: str, largest: float) -> None:
    sides = [{name: MetricSummary(mean=mean, low=-9.0, high=9.0)} for mean in (0.4, 0.5)]
    (row,) = compare_intervals(*sides, "test", replace(OPTIONS, metric=name.partition(".")[2]))
    assert (row.low, row.high, row.largest_drop, row.min_detectable) == (-largest, largest, largest, None)


@pytest.mark.parametrize("sign", [1, -1], ids=["better", "worse"])
@pytest.mark.parametrize("rows", [12, 24, 100, 800])
@pytest.mark.parametrize("right", [1.0, 0.95, 0.8, 0.5, 0.1])
@pytest.mark.parametrize("metric", ["accuracy", "mcc", "macro_f1", "quadratic_kappa", "mean_absolute_error"])
def test_a_detectable_difference_is_a_gain_that_base_leaves_possible(
    metric: str, right: float, rows: int, sign: int
) -> None:
    chance = np.random.default_rng(rows)
    labels = np.arange(rows) % 3
    ids = list(map(str, range(rows)))
    sides = []
    for share in (right, min(1.0, max(0.0, right + 0.06 * sign))):
        hit = np.arange(rows) < round(share * rows)
        preds = np.where(chance.permutation(hit), labels, (labels + 1) % 3)
        sides.append(predictions(ids, labels.tolist(), (np.eye(3)[preds] * 0.7 + 0.1).tolist()))
    pairs = in_order(paired(*sides, ["1", "2", "3"]))
    row = next(row for row in compare_paired(pairs, "test", replace(OPTIONS, metric=metric)) if row.verdict)
    lowest, highest = value_range(row.name)
    best = lowest if lower_is_better(row.name) else highest
    assert row.name == f"test.{metric}"
    if row.min_detectable is not None:
        assert row.min_detectable <= abs(best - row.base) + 1e-9
    elif rows == 800:
        assert right >= 0.95  # so many rows show every other gain


@pytest.mark.parametrize("mean", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("width", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("name", ["test.accuracy", "test.mcc", "test.mean_absolute_error", "test.r2"])
def test_two_intervals_detect_no_gain_that_base_does_not_leave_possible(name: str, width: float, mean: float) -> None:
    summaries = [{name: MetricSummary(mean=value, low=value - width, high=value + width)} for value in (mean, 0.5)]
    (row,) = compare_intervals(*summaries, "test", replace(OPTIONS, metric=name.partition(".")[2]))
    room = mean if name.endswith("error") else 1 - mean
    smallest = width * 2**0.5 / stats.norm.ppf(0.975) * (stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
    assert row.min_detectable == (pytest.approx(smallest) if smallest <= room else None)


def test_few_seeds_leave_no_difference_beyond_the_range_of_the_metric() -> None:
    chance = np.random.default_rng(0)
    labels = chance.integers(0, 2, 24)
    models = [np.where(chance.random(24) < right, labels, 1 - labels) for right in (0.9, 0.4, 0.6)]
    base, *head = [(np.eye(2)[model] * 0.8 + 0.1).tolist() for model in models]
    one, *two = [predictions(list(map(str, range(24))), labels.tolist(), side) for side in (base, *head)]
    both = replace(two[0], probabilities={seed: side.probabilities[1] for seed, side in enumerate(two)})
    rows = paired(one, both)
    found = {row.name: row for row in compare_paired(rows, "test", replace(OPTIONS, metric="macro_f1", seeds=(1, 2)))}
    assert found["test.macro_f1"].low == -1.0
    assert found["test.macro_f1"].min_detectable is None
    assert found["test.mcc"].low < -1.0
    assert found["test.log_loss"].high > 1.0
