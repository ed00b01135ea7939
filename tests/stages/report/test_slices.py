"""Slices: the metric of each part of the rows."""

import numpy as np
import pytest
from scipy import stats

from stages.metrics.bootstrap import Bootstrap
from stages.report.slices import score_slices
from tests.stages.report.results import make_results

BOOTSTRAP = Bootstrap(resamples=300, confidence=0.95, seed=1)


def test_slices_come_weakest_first_with_rows_and_interval() -> None:
    labels = np.array([0, 1] * 40)
    first = np.arange(80) < 20
    preds = np.where(first, 1 - labels, labels)
    predictions = make_results(labels, np.eye(2)[preds]).predictions
    slices = {("part", "second"): ~first, ("half", "all"): labels >= 0, ("part", "first"): first}
    scores = score_slices(slices, predictions, "accuracy", BOOTSTRAP)
    assert [(column, list(values)) for column, values in scores.items()] == [
        ("part", ["first", "second"]),
        ("half", ["all"]),
    ]
    assert [(score.rows, score.value) for score in scores["part"].values()] == [(20, 0.0), (60, 1.0)]
    half = scores["half"]["all"]
    assert half.value == pytest.approx(0.75)
    assert 0.6 < half.low < 0.75 < half.high < 0.9


def test_a_slice_without_an_error_has_a_lower_bound_below_one() -> None:
    labels = np.array([0, 1] * 20)
    predictions = make_results(labels, np.eye(2)[labels]).predictions
    score = score_slices({("part", "all"): labels >= 0}, predictions, "accuracy", BOOTSTRAP)["part"]["all"]
    assert (score.value, score.high) == (1.0, 1.0)
    assert score.low == pytest.approx(stats.binomtest(40, 40).proportion_ci(0.95, method="exact").low, abs=0.005)
