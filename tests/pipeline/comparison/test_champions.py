"""Calibration and cost of the champions of both sides."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss

from pipeline.comparison.champions import compare_calibration, model_size, read_costs
from pipeline.comparison.result import Cost
from pipeline.comparison.revision import FILES
from tests.pipeline.comparison.builders import paired, predictions


def test_calibration_is_that_of_each_sides_champion() -> None:
    ids, labels = ["a", "b", "c"], [0, 1, 1]
    before = [[0.8, 0.2], [0.4, 0.6], [0.7, 0.3]]
    after = [[0.9, 0.1], [0.1, 0.9], [0.3, 0.7]]
    pairs = paired(predictions(ids, labels, before, seed=5), predictions(ids, labels, after, seed=6))
    result = compare_calibration(pairs, SimpleNamespace(champion=5), SimpleNamespace(champion=6))  # type: ignore[arg-type]
    assert result["log loss"] == pytest.approx((log_loss(labels, before), log_loss(labels, after)), rel=1e-6)
    brier = [np.mean(2 * (1 - np.array(right)) ** 2) for right in ([0.8, 0.6, 0.3], [0.9, 0.9, 0.7])]
    assert result["Brier score"] == pytest.approx(brier, rel=1e-6)
    # one bin: mean confidence against share right
    assert result["calibration error"] == pytest.approx((abs(2.1 / 3 - 2 / 3), abs(2.5 / 3 - 1)), rel=1e-6)


def test_a_stage_without_a_record_on_one_side_has_unknown_cost_there() -> None:
    def side(timings: dict[str, dict[str, Any]]) -> Any:
        by_path = {f"data/{stage}/timing.json": timing for stage, timing in timings.items()}
        return SimpleNamespace(lock=timings, json=lambda path: by_path.get(Path(path).as_posix()))

    base = side({"split": {"seconds": 1.0, "peak_memory_mb": 10}, "tokenize": {}})
    head = side({"report": {"seconds": 3.0}, "split": {"seconds": 2.0, "peak_memory_mb": 20}})
    assert read_costs(base, head) == [
        Cost("report", (None, 3.0), (None, None)),
        Cost("split", (1.0, 2.0), (10, 20)),
    ]


def test_the_size_of_a_model_is_that_of_the_champions_folder() -> None:
    sizes = {FILES.finetuned(5).as_posix(): 90, FILES.finetuned(6).as_posix(): 80}
    assert model_size(SimpleNamespace(champion=6, size=sizes.get)) == 80  # type: ignore[arg-type]
