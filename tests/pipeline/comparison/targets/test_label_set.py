"""Comparing sets of labels: verdicts, directions, rows that came better, and what is no comparison."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from pipeline.comparison.gate import Gate, check_rules
from pipeline.comparison.paired_rows import PairedRows, pair_by_id
from pipeline.comparison.seed_predictions import SeedPredictions
from pipeline.comparison.targets import label_set
from pipeline.comparison.verdicts import ComparisonOptions, MetricRow, compare_paired
from stages.errors import PipelineError
from stages.predictions import Predictions
from stages.targets.target import Target

TARGET = Target("label_set", ["app", "bill", "parcel"])
OPTIONS = ComparisonOptions(metric="micro_f1", confidence=0.95)
ROWS = 120
LABELS = np.random.default_rng(0).random((ROWS, 3)) < 0.4


def side(labels: NDArray[np.bool_], preds: Any, temperature: float = 1.0) -> SeedPredictions:
    """Predictions of seeds 1, 2, ...; `preds` has those of each."""
    decided = {seed: np.asarray(flags, dtype=np.bool_) for seed, flags in enumerate(preds, 1)}
    return SeedPredictions(
        ids=pa.array([f"r{row}" for row in range(len(labels))]),
        labels=labels,
        probabilities={seed: np.where(flags, 0.8, 0.2).astype(np.float32) for seed, flags in decided.items()},
        decided=decided,
        temperatures=dict.fromkeys(decided, temperature),
    )


def wrong(*shares: float) -> SeedPredictions:
    """A seed for each share of wrong answers; half of what makes an answer wrong is the same for all."""
    shared = np.random.default_rng(1).random(LABELS.shape)
    own = [np.random.default_rng(10 + seed).random(LABELS.shape) for seed in range(len(shares))]
    preds = [LABELS ^ ((shared + noise) / 2 < share) for share, noise in zip(shares, own, strict=True)]
    return side(LABELS, preds)


def paired(base: SeedPredictions, head: SeedPredictions, target: Target = TARGET) -> PairedRows:
    pairs = pair_by_id(base, head, target)
    assert pairs is not None
    return pairs


def headline(pairs: PairedRows, options: ComparisonOptions = OPTIONS) -> list[MetricRow]:
    return [row for row in compare_paired(pairs, "test", options) if row.verdict]


@pytest.mark.parametrize(
    ("base", "head", "verdict"), [(0.45, 0.2, "better"), (0.2, 0.45, "worse"), (0.3, 0.305, "within noise")]
)
@pytest.mark.parametrize("metric", ["micro_f1", "hamming_loss", "macro_f1"])
def test_the_verdict_knows_the_direction(metric: str, base: float, head: float, verdict: str) -> None:
    pairs = paired(wrong(base, base * 1.02), wrong(head * 1.02, head))
    first, *_ = headline(pairs, replace(OPTIONS, metric=metric))
    assert first.name == f"test.{metric}"
    assert first.verdict == verdict
    assert first.low is not None
    assert first.low <= first.difference <= first.high  # type: ignore[operator]


def test_micro_f1_leads() -> None:
    rows = headline(paired(wrong(0.3, 0.3), wrong(0.2, 0.2)))
    assert [row.name for row in rows] == [
        *("test.micro_f1", "test.macro_f1", "test.sample_f1", "test.subset_accuracy"),
    ]


def test_two_sides_with_the_same_predictions_are_identical() -> None:
    assert {row.verdict for row in headline(paired(wrong(0.3, 0.2), wrong(0.3, 0.2)))} == {"identical"}


@pytest.mark.parametrize(
    ("rule", "base", "head", "passed"),
    [
        ({"test.micro_f1": 0.02}, 0.45, 0.2, True),
        ({"test.micro_f1": 0.02}, 0.2, 0.45, False),
        ({"test.hamming_loss": 0.02}, 0.45, 0.2, True),
        ({"test.hamming_loss": 0.02}, 0.2, 0.45, False),
        ({"test.subset_accuracy": 0.9}, 0.2, 0.45, True),
    ],
)
def test_a_gate_bounds_the_loss_in_the_right_direction(
    rule: dict[str, float], base: float, head: float, passed: bool
) -> None:
    rows = compare_paired(paired(wrong(base, base), wrong(head * 1.01, head)), "test", OPTIONS)
    (result,) = check_rules(Gate(max_drop=rule), "better", rows, {}, what="the champion")
    assert result.passed == passed, result.why
    assert f" {'rise' if 'test.hamming_loss' in rule else 'drop'}s by at most" in result.rule


def test_rows_get_better_or_worse() -> None:
    labels = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1]], dtype=bool)
    base = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0]], dtype=bool)
    head = np.array([[1, 0, 0], [1, 1, 1], [0, 0, 0], [0, 0, 0]], dtype=bool)
    pairs = paired(side(labels, [base]), side(labels, [head]))
    data = pa.table({"id": ["r0", "r1", "r2", "r3"], "text": list("abcd"), "label": ["[]"] * 4})
    flips = label_set.find_flips(pairs, (1, 1), data, show_text=True, most=5)
    assert (flips.fixed, flips.broken, flips.wrong) == (1, 1, 1)
    assert {count.name: (count.rows, count.fixed, count.broken) for count in flips.classes} == {
        "app": (2, 1, 1),
        "bill": (1, 0, 1),
        "parcel": (1, 0, 0),
    }
    (better,), (worse,) = flips.fixed_rows, flips.broken_rows
    assert (better.id, better.label, better.base, better.head, better.gain, better.text) == (
        *("r0", "app", "bill", "app"),
        *(2.0, "a"),
    )
    assert (worse.id, worse.base, worse.gain) == ("r1", "app, bill", -1.0)
    hidden = label_set.find_flips(pairs, (1, 1), data, show_text=False, most=5)
    assert hidden.fixed_rows[0].text is None


def test_rows_whose_set_differs_are_counted_once() -> None:
    other = LABELS.copy()
    other[0] = ~other[0]
    assert paired(side(other, [LABELS]), side(LABELS, [LABELS])).relabelled == 1


def test_labels_in_another_order_are_the_same_task() -> None:
    turned = ["parcel", "app", "bill"]
    columns = [TARGET.labels.index(label) for label in turned]
    base = wrong(0.3)
    moved = replace(
        base,
        labels=base.labels[:, columns],
        probabilities={1: base.probabilities[1][:, columns]},
        decided={1: base.decided[1][:, columns]},
    )
    aligned = label_set.align(moved, (Target("label_set", turned), TARGET), ("a", "b"))
    assert paired(aligned, base).identical
    assert not paired(aligned, base).relabelled


def test_other_labels_are_another_task() -> None:
    targets = Target("label_set", ["app", "bill", "refund"]), TARGET
    with pytest.raises(PipelineError, match="only a has refund; only b has parcel"):
        label_set.align(wrong(0.3), targets, ("a", "b"))


@pytest.mark.parametrize(
    "changes",
    [
        {"probabilities": np.full((2, 2), 0.5, np.float32)},
        {"probabilities": np.full((2, 3), np.nan, np.float32)},
        {"decided": None},
        {"decided": np.zeros(2, np.int64)},
        {"labels": np.zeros((2, 3), np.float64)},
        {"labels": np.zeros((2, 2), np.bool_)},
    ],
)
def test_damaged_predictions_are_refused(changes: dict[str, Any]) -> None:
    flags = np.zeros((2, 3), np.bool_)
    good = Predictions(np.arange(2), ["a", "b"], flags, np.full((2, 3), 0.5, np.float32), decided=flags)
    label_set.check(good, TARGET)
    with pytest.raises(ValueError, match="expected"):
        label_set.check(replace(good, **changes), TARGET)


def test_the_champions_probabilities_are_compared_as_they_ship() -> None:
    sure = side(LABELS, [LABELS], temperature=0.5)
    pairs = paired(side(LABELS, [LABELS]), sure)
    measures = label_set.calibration(pairs, (1, 1), ({}, {}))
    assert measures["log loss"][0] == pytest.approx(-np.log(0.8), abs=1e-6)
    assert measures["log loss"][1] == pytest.approx(-np.log(16 / 17), abs=1e-6)
    assert measures["Brier score"][1] < measures["Brier score"][0]


def test_rows_are_counted_by_their_set() -> None:
    assert label_set.shown(['["app", "bill"]', "[]"], TARGET) == ["app, bill", "none"]
