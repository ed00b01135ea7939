"""Calibration and cost of the champions of both sides."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss

from pipeline.comparison.champions import champion_metrics, compare_calibration, model_size, read_costs
from pipeline.comparison.result import Cost
from pipeline.comparison.revision_files import FILES
from stages.metrics.summary import MetricSummary
from tests.pipeline.comparison.builders import paired, predictions


def _side(champion: int, **evaluation: Any) -> Any:
    return SimpleNamespace(champion=champion, evaluation={champion: evaluation}.get)


def test_calibration_is_that_of_each_sides_champion() -> None:
    ids, labels = ["a", "b", "c"], [0, 1, 1]
    before = [[0.8, 0.2], [0.4, 0.6], [0.7, 0.3]]
    after = [[0.9, 0.1], [0.1, 0.9], [0.3, 0.7]]
    pairs = paired(predictions(ids, labels, before, seed=5), predictions(ids, labels, after, seed=6))
    result = compare_calibration(pairs, _side(5), _side(6))
    assert result["log loss"] == pytest.approx((log_loss(labels, before), log_loss(labels, after)), rel=1e-6)
    brier = [np.mean(2 * (1 - np.array(right)) ** 2) for right in ([0.8, 0.6, 0.3], [0.9, 0.9, 0.7])]
    assert result["Brier score"] == pytest.approx(brier, rel=1e-6)
    # one bin: mean confidence against share right
    assert result["observed calibration error"] == pytest.approx((abs(2.1 / 3 - 2 / 3), abs(2.5 / 3 - 1)), rel=1e-6)


def test_calibration_is_that_of_the_probabilities_that_ship() -> None:
    before = predictions(["a", "b"], [0, 1], [[0.8, 0.2], [0.4, 0.6]], seed=5)
    after = replace(before, temperatures={5: 0.5})
    result = compare_calibration(paired(before, after), _side(5), _side(5))
    sharper = [[0.64 / 0.68, 0.04 / 0.68], [0.16 / 0.52, 0.36 / 0.52]]
    assert result["log loss"][1] == pytest.approx(log_loss([0, 1], sharper), rel=1e-5)
    assert result["log loss"][0] == pytest.approx(log_loss([0, 1], before.probabilities[5]), rel=1e-5)


def test_the_metrics_of_the_champion_are_those_that_evaluate_wrote() -> None:
    written = {"test": {"mcc": {"value": 0.7951, "low": 0.7, "high": 0.9}, "per_class": {"a": {"f1": 1}}}, "val": {}}
    report = {"test.mcc": MetricSummary(0.8)}
    side = SimpleNamespace(champion=5, evaluation={5: written}.get, metrics=report)
    metrics, what = champion_metrics(side)  # type: ignore[arg-type]
    assert metrics == {"test.mcc": MetricSummary(0.7951, low=0.7, high=0.9)}
    assert what == "the champion (seed 5)"
    old = SimpleNamespace(champion=5, evaluation=lambda _: {}, metrics=report)
    assert champion_metrics(old) == (report, "the mean over the seeds")  # type: ignore[arg-type]


def test_a_stage_without_a_record_on_one_side_has_unknown_cost_there() -> None:
    def side(timings: dict[str, dict[str, Any]]) -> Any:
        return SimpleNamespace(lock=timings, timing=lambda stage: timings.get(stage, {}))

    base = side({"split": {"seconds": 1.0, "peak_memory_mb": 10}, "tokenize": {}})
    head = side({"report": {"seconds": 3.0}, "split": {"seconds": 2.0, "peak_memory_mb": 20}})
    assert read_costs(base, head) == [
        Cost("report", (None, 3.0), (None, None)),
        Cost("split", (1.0, 2.0), (10, 20)),
    ]


def test_the_size_of_a_model_is_that_of_the_champions_folder() -> None:
    sizes = {FILES.finetuned(5).as_posix(): 90, FILES.finetuned(6).as_posix(): 80}
    assert model_size(SimpleNamespace(champion=6, size=sizes.get)) == 80  # type: ignore[arg-type]
