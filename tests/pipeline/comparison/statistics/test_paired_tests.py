"""Exact tests against published examples and scipy."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from pipeline.comparison.statistics.paired_tests import holm, mcnemar, randomisation_test
from stages.metrics.bootstrap import count_cells
from tests.pipeline.comparison.statistics.simulation import draw, table


@pytest.mark.parametrize(
    ("cells", "p_value", "source"),
    [
        ((59, 6, 16, 80), 0.0525, "Wikipedia's example of 6 against 16: exact p = 0.053"),
        ((9945, 25, 15, 15), 0.1539, "Raschka's two classifiers (25 against 15), by sums of whole numbers"),
        ((794, 150, 86, 570), 3.716e-05, "Agresti's approval ratings (86 against 150), by sums of whole numbers"),
        ((10, 7, 7, 5), 1.0, "as many fixed as broken: no more than 1"),
        ((10, 0, 0, 5), 1.0, "no row on which they differ"),
    ],
)
def test_mcnemar_gives_the_published_p_values(cells: tuple[int, int, int, int], p_value: float, source: str) -> None:
    assert mcnemar(*table(*cells)) == pytest.approx(p_value, rel=0.01), source


def test_mcnemar_is_the_binomial_test() -> None:
    for fixed, broken in ((3, 9), (0, 5), (200, 260), (4000, 4100)):
        expected = stats.binomtest(fixed, fixed + broken).pvalue
        assert mcnemar(*table(10, broken, fixed, 10)) == pytest.approx(expected, rel=1e-6)


def test_holm_gives_the_published_example() -> None:
    # Holm's procedure as worked out on Wikipedia: H1..H4 with p = 0.01, 0.04, 0.03, 0.005; H4 and H1 are rejected.
    corrected = holm({"H1": 0.01, "H2": 0.04, "H3": 0.03, "H4": 0.005})
    assert corrected == pytest.approx({"H1": 0.03, "H2": 0.06, "H3": 0.06, "H4": 0.02})
    assert list(corrected) == ["H1", "H2", "H3", "H4"]


def test_holm_stops_at_one_and_keeps_the_order_of_p_values() -> None:
    assert holm({"a": 0.5, "b": 0.4}) == {"a": 0.8, "b": 0.8}
    assert holm({"a": 0.7, "b": 0.6, "c": 0.01}) == pytest.approx({"a": 1.0, "b": 1.0, "c": 0.03})
    assert holm({}) == {}


def test_randomisation_swaps_the_predictions_of_rows() -> None:
    labels, base, head = draw(np.random.default_rng(2), rows=60, gain=0.6)
    cells = count_cells(labels, base[0], head[0])
    options = {"sizes": cells.sizes, "num_labels": 2, "resamples": 4000, "seed": 1}
    p_values = randomisation_test(*cells.columns, **options)

    def statistic(first: np.ndarray, second: np.ndarray) -> float:
        return float(abs(f1_score(labels, second, average="macro") - f1_score(labels, first, average="macro")))

    observed, generator = statistic(base[0], head[0]), np.random.default_rng(3)
    swapped = [generator.random(60) < 0.5 for _ in range(1500)]
    statistics = [statistic(np.where(swap, head[0], base[0]), np.where(swap, base[0], head[0])) for swap in swapped]
    assert p_values["macro_f1"] == pytest.approx(np.mean(np.array(statistics) >= observed - 1e-12), abs=0.03)
    assert p_values["accuracy"] == pytest.approx(mcnemar(labels, base[0], head[0]), abs=0.03)


def test_the_observed_predictions_count_as_one_of_the_swaps() -> None:
    labels, base, head = table(0, 0, 40, 0)
    cells = count_cells(labels, base, head)
    p_values = randomisation_test(*cells.columns, sizes=cells.sizes, num_labels=2, resamples=99, seed=1)
    assert p_values["accuracy"] == 0.01  # no swap of 40 rows reaches the observed difference


def test_every_way_to_swap_two_rows_counts() -> None:
    # Head fixes two rows. Of the four ways to swap them, two leave a difference as large; two leave none.
    labels, base, head = table(0, 0, 2, 0)
    cells = count_cells(labels, base, head)
    options = {"sizes": cells.sizes, "num_labels": 2, "resamples": 4000}
    assert randomisation_test(*cells.columns, seed=1, **options)["accuracy"] == pytest.approx(0.5, abs=0.03)


def test_the_same_seed_gives_the_same_p_values() -> None:
    labels, base, head = table(10, 5, 8, 10)
    cells = count_cells(labels, base, head)
    options = {"sizes": cells.sizes, "num_labels": 2, "resamples": 1000}
    first, again, other = (randomisation_test(*cells.columns, seed=seed, **options) for seed in (1, 1, 2))
    assert first == again != other
