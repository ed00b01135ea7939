"""The metric of each slice."""

import numpy as np
import pytest
from scipy import stats

from stages.metrics.bootstrap import Bootstrap
from stages.report.slices import score_slices

BOOTSTRAP = Bootstrap(resamples=300, confidence=0.95, seed=1)


def test_slices_come_weakest_first_with_rows_and_interval() -> None:
    labels = np.array([0, 1] * 40)
    preds = labels.copy()
    preds[:20] = 1 - preds[:20]
    first = np.arange(80) < 20
    columns = {("part", "second"): ~first, ("part", "first"): first}
    slices = score_slices(columns, labels, preds, metric="accuracy", num_labels=2, bootstrap=BOOTSTRAP)
    assert [(part.column, part.name, part.rows, part.small, part.value) for part in slices] == [
        ("part", "first", 20, True, 0.0),
        ("part", "second", 60, False, 1.0),
    ]


def test_a_slice_without_an_error_has_a_lower_bound_below_one() -> None:
    labels = np.array([0, 1] * 20)
    slices = {("part", "all"): np.ones(40, dtype=bool)}
    (part,) = score_slices(slices, labels, labels, metric="accuracy", num_labels=2, bootstrap=BOOTSTRAP)
    assert (part.value, part.high, part.small) == (1.0, 1.0, False)
    assert part.low == pytest.approx(stats.binomtest(40, 40).proportion_ci(0.95, method="exact").low, abs=0.005)
