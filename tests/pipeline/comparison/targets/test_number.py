"""Comparing predicted numbers: verdicts, directions, rows that came closer, and what is no comparison."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.comparison.changes import changed_rows
from pipeline.comparison.gate import Gate, check_rules
from pipeline.comparison.metric_row import MetricRow
from pipeline.comparison.paired_rows import PairedRows, pair_by_id
from pipeline.comparison.pairing import pair_split
from pipeline.comparison.seed_predictions import SeedPredictions
from pipeline.comparison.targets import number
from pipeline.comparison.verdicts import ComparisonOptions, compare_paired
from stages.errors import PipelineError
from stages.metrics.regression import METRICS, number_scores
from stages.predictions import Predictions
from stages.targets.target import Target

TARGET = Target("number", ["below 0", "0 or more"], [0.0])
OPTIONS = ComparisonOptions(metric="r2", confidence=0.95)
ROWS = 80


def side(numbers: Any, preds: Sequence[Any]) -> SeedPredictions:
    """Predictions of seeds 1, 2, ...; `preds` has those of each."""
    decided = {seed: np.asarray(values, np.float64) for seed, values in enumerate(preds, 1)}
    return SeedPredictions(
        ids=pa.array([f"r{row}" for row in range(len(numbers))]),
        labels=np.asarray(numbers, np.float64),
        probabilities={seed: values[:, None].astype(np.float32) for seed, values in decided.items()},
        tokens=np.arange(len(numbers)),
        decided=decided,
    )


def paired(base: SeedPredictions, head: SeedPredictions) -> PairedRows:
    pairs = pair_by_id(base, head, TARGET)
    assert pairs is not None
    return pairs


def errors(*sizes: float, rows: int = ROWS, unit: float = 1.0) -> SeedPredictions:
    """Two seeds for each size of the errors: half of an error is shared by all models."""
    numbers = np.random.default_rng(0).normal(size=rows)
    shared = np.random.default_rng(1).normal(size=rows)
    own = [np.random.default_rng(10 + seed).normal(size=rows) for seed in range(len(sizes))]
    return side(unit * numbers, [unit * (numbers + size * (shared + noise) / 2) for size, noise in zip(sizes, own)])  # noqa: B905


def by_name(rows: list[MetricRow]) -> dict[str, MetricRow]:
    return {row.name: row for row in rows}


def test_every_metric_is_compared_and_three_lead() -> None:
    pairs = paired(errors(0.5, 0.52), errors(0.5, 0.55))
    rows = by_name(compare_paired(pairs, "test", OPTIONS))
    assert list(rows)[:3] == ["test.r2", "test.mean_absolute_error", "test.root_mean_squared_error"]
    for metric in METRICS:
        row = rows[f"test.{metric}"]
        for value, of in ((row.base, pairs.base), (row.head, pairs.head)):
            scores = [number_scores(np.ones(ROWS), pairs.labels, preds)[metric] for preds in of.preds]
            assert value == pytest.approx(np.mean(scores))
        assert row.low is not None
        assert row.low <= row.difference <= row.high  # type: ignore[operator]


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(
    ("base", "head", "verdict"), [(0.9, 0.3, "better"), (0.3, 0.9, "worse"), (0.5, 0.5, "within noise")]
)
@pytest.mark.parametrize("metric", ["r2", "mean_absolute_error"])
def test_the_verdict_knows_the_direction(metric: str, base: float, head: float, verdict: str, unit: float) -> None:
    pairs = paired(errors(base, base * 1.05, unit=unit), errors(head * 1.05, head, unit=unit))
    rows = compare_paired(pairs, "test", replace(OPTIONS, metric=metric))
    assert rows[0].name == f"test.{metric}"
    assert rows[0].verdict == verdict
    if verdict != "within noise":
        assert {row.verdict for row in rows[:3]} == {verdict}


def test_two_sides_with_the_same_predictions_are_identical() -> None:
    pairs = paired(errors(0.5, 0.6), errors(0.5, 0.6))
    rows = compare_paired(pairs, "test", OPTIONS)
    assert {row.verdict for row in rows[:3]} == {"identical"}
    assert rows[1].base == pytest.approx(np.abs(pairs.base.preds - pairs.labels).mean())


@pytest.mark.parametrize(
    ("rule", "base", "head", "passed"),
    [
        ({"test.mean_absolute_error": 0.5}, 0.3, 0.3, True),
        ({"test.mean_absolute_error": 0.05}, 0.3, 0.9, False),
        ({"test.mean_absolute_error": 0.0}, 0.9, 0.3, True),
        ({"test.r2": 0.5}, 0.3, 0.3, True),
        ({"test.r2": 0.05}, 0.3, 0.9, False),
        ({"test.r2": 0.02}, 0.9, 0.3, True),
        ({"test.root_mean_squared_error": 0.05}, 0.3, 0.9, False),
    ],
)
def test_a_gate_bounds_the_loss_in_the_right_direction(
    rule: dict[str, float], base: float, head: float, passed: bool
) -> None:
    rows = compare_paired(paired(errors(base, base), errors(head * 1.01, head)), "test", OPTIONS)
    (result,) = check_rules(Gate(max_drop=rule), "better", rows, {}, what="the champion")
    assert result.passed == passed, result.why
    word = "drop" if "test.r2" in rule else "rise"
    assert f" {word}s by at most" in result.rule
    assert f"the {word} " in result.why


def test_rows_come_closer_or_get_farther() -> None:
    pairs = paired(side([-1.0, -2.0, 3.0, 4.0], [[0, -2, 5, 4.5]]), side([-1.0, -2.0, 3.0, 4.0], [[-1, 0, 3, 3.5]]))
    data = pa.table({"id": ["r0", "r1", "r2", "r3"], "text": list("abcd"), "label": ["-1", "-2", "3", "4"]})
    flips = number.find_flips(pairs, (1, 1), data, show_text=True, most=1)
    assert (flips.fixed, flips.broken, flips.wrong) == (2, 1, 1)
    assert {count.name: (count.rows, count.fixed, count.broken) for count in flips.classes} == {
        "below 0": (2, 1, 1),
        "0 or more": (2, 1, 0),
    }
    (closest,), (farthest,) = flips.fixed_rows, flips.broken_rows
    assert (closest.id, closest.label, closest.base, closest.head, closest.gain, closest.text) == (
        *("r2", "3", "5", "3"),
        *(2.0, "c"),
    )
    assert (farthest.id, farthest.gain) == ("r1", -2.0)
    hidden = number.find_flips(pairs, (1, 1), data, show_text=False, most=1)
    assert hidden.fixed_rows[0].text is None
    assert sum(count.rows for count in flips.slices) % 4 == 0  # each quarter by length holds its rows once


@pytest.mark.parametrize(
    ("before", "after", "measures"),
    [
        ({"half_width": 4.0, "confidence": 0.95}, {"half_width": 3.0, "confidence": 0.95}, [(4.0, 3.0)]),
        ({"half_width": 4.0, "confidence": 0.95}, {"half_width": 3.0, "confidence": 0.9}, []),
        ({"half_width": None, "confidence": 0.95}, {"half_width": 3.0, "confidence": 0.95}, []),
        ({}, {}, []),
    ],
)
def test_the_widths_of_single_predictions_are_compared_at_one_confidence(
    before: Any, after: Any, measures: list[Any]
) -> None:
    evaluations = {"calibration": before}, {"calibration": after}
    assert list(number.calibration(paired(errors(1), errors(2)), (1, 1), evaluations).values()) == measures


def split(labels: Any, outputs: Any, preds: Any = None) -> Predictions:
    values = np.asarray(outputs, np.float32)
    rows = np.arange(len(values))
    return Predictions(
        rows, list(map(str, rows)), np.asarray(labels), values, decided=values[:, 0] if preds is None else preds
    )


@pytest.mark.parametrize(
    "bad",
    [
        split([0.5, np.nan], [[1], [2]]),
        split([0.5, np.inf], [[1], [2]]),
        split([1, 2], [[1], [2]]),  # indices of classes
        split([0.5, 1.5], [[1], [np.nan]]),
        split([0.5, 1.5], [[1], [2]], np.array([1.0, np.inf])),
        split([0.5, 1.5], [[0.1, 0.9], [0.2, 0.8]]),
    ],
)
def test_values_that_are_no_finite_numbers_are_damage(bad: Predictions) -> None:
    with pytest.raises(ValueError, match="expected"):
        number.check(bad, TARGET)
    number.check(split([0.5, 1.5], [[1], [2]]), TARGET)


def test_a_number_is_not_compared_with_classes() -> None:
    base = SimpleNamespace(name="v1", target=Target("classes", ["no", "yes"]))
    head = SimpleNamespace(name="v2", target=TARGET)
    with pytest.raises(
        PipelineError,
        match=r"^The labels differ \(the label of v1 is one of several classes, the label of v2 is a number\): ",
    ):
        pair_split(base, head, "test")  # type: ignore[arg-type]


def test_other_ranges_are_the_same_task() -> None:
    values = {"test": errors(0.5)}
    base = SimpleNamespace(name="v1", target=Target("number", ["all"]), predictions=values)
    pairs = pair_split(base, SimpleNamespace(name="v2", target=TARGET, predictions=values), "test")  # type: ignore[arg-type]
    assert pairs is not None
    assert pairs.identical


def test_changed_rows_are_counted_by_range() -> None:
    base = pa.table({"id": ["a", "b"], "text": ["x", "y"], "label": ["-1", "2"]})
    head = pa.table({"id": ["b", "c", "d"], "text": ["y", "z", "z"], "label": ["2.5", "3", "4"]})
    change = changed_rows(base, head, TARGET)
    assert (change.added, change.removed) == ({"0 or more": 2}, {"below 0": 1})
    assert change.relabelled == {"2 -> 2.5": 1}
