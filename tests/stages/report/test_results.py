"""Results: which seed is the champion, and whether one label dominates."""

import dataclasses

import numpy as np
import pytest

from stages.metrics.summary import MetricValue
from stages.report.results import SeedResult
from stages.report.seeds import choose_champion
from tests.stages.report.results import make_results


def seed_result(seed: int, mcc: float | None, loss: float = 0.5) -> SeedResult:
    values = {} if mcc is None else {"mcc": MetricValue(mcc, -1, 1), "log_loss": MetricValue(loss, 0, 1)}
    champion = make_results(np.array([0, 1]), np.full((2, 2), 0.5)).champion
    return dataclasses.replace(champion, seed=seed, metrics={"val": values, "test": {}})


@pytest.mark.parametrize(
    ("mcc", "champion"),
    [((0.1, 0.5, 0.3), 2), ((0.5, 0.1, 0.5), 1), ((-0.3, -0.1, -0.2), 2), ((None, None, None), 1)],
    ids=["best", "tie", "negative", "no val rows"],
)
def test_the_champion_is_the_first_seed_with_the_best_metric_on_val(mcc: tuple[float, ...], champion: int) -> None:
    results = [seed_result(seed, value) for seed, value in enumerate(mcc, start=1)]
    assert choose_champion(results, "mcc").seed == champion


def test_of_a_loss_the_lowest_is_best() -> None:
    results = [seed_result(1, 0.9, loss=0.7), seed_result(2, 0.1, loss=0.2)]
    assert choose_champion(results, "log_loss").seed == 2


@pytest.mark.parametrize(("frequent", "imbalanced"), [(6, False), (7, True)])
def test_a_label_with_more_than_60_percent_of_the_rows_dominates(frequent: int, imbalanced: bool) -> None:
    labels = np.array([0] * frequent + [1] * (10 - frequent))
    assert make_results(labels, np.full((10, 2), 0.5)).imbalanced == imbalanced


def test_the_report_shows_test() -> None:
    results = make_results(np.array([0, 1]), np.full((2, 2), 0.5))
    assert results.split == "test"
    assert len(results.predictions) == 2
