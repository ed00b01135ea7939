"""Summaries over the seeds: the interval of the mean, and what is due to the seeds."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from stages.evaluate.metrics import measure_splits
from stages.metrics.bootstrap import Bootstrap, Estimate
from stages.metrics.rule import DecisionRule
from stages.metrics.summary import MetricValue
from stages.predictions import Predictions
from stages.report.metrics import measure_seeds
from stages.report.results import Results
from stages.report.summary import Spread, summarise_seeds, widen
from tests.stages.report.results import make_results


def _spread(sd: float, of_mean: float, *, seeds: int, interaction: float = 0.0) -> Spread:
    """A spread whose seeds differ by more than the interaction."""
    of_seeds = max(0.0, sd**2 - interaction)
    return Spread(seeds, sd, of_seeds, of_seed=of_mean + interaction * (seeds - 1) / seeds, of_mean=of_mean)


def test_seeds_widen_the_interval_by_the_variance_of_their_mean() -> None:
    rows = Estimate(0.8, 0.7, 0.86, error=0.04)
    wide = widen(rows, _spread(0.06, 0.04**2, seeds=4), confidence=0.95)
    assert wide.error == pytest.approx(np.hypot(0.04, 0.03))
    freedom = 0.05**4 / (0.03**4 / 3)
    factor = 1.25 * stats.t.ppf(0.975, freedom) / stats.norm.ppf(0.975)
    assert (wide.value - wide.low) / (rows.value - rows.low) == pytest.approx(factor)
    assert (wide.high - wide.value) / (rows.high - rows.value) == pytest.approx(factor)
    assert widen(rows, _spread(0.0, 0.04**2, seeds=4), confidence=0.95) == rows


@pytest.mark.parametrize(
    ("of_rows", "of_seeds", "interaction"),
    [(0.01, 0.02, 0.0), (0.01, 0.0, 0.02), (0.01, 0.01, 0.01), (0.02, 0.0, 0.01)],
)
def test_the_interval_over_few_seeds_holds_the_truth_as_often_as_it_claims(
    of_rows: float, of_seeds: float, interaction: float
) -> None:
    chance = np.random.default_rng(5)
    held, shares = 0, []
    of_mean, of_seed = np.hypot(of_rows, interaction / 3**0.5), np.hypot(of_rows, interaction)
    for _ in range(4000):
        values = 0.5 + chance.normal(0, of_rows) + chance.normal(0, np.hypot(of_seeds, interaction), size=3)
        mean = Estimate(*(values.mean() + 1.96 * of_mean * side for side in (0, -1, 1)), of_mean)
        seeds = [MetricValue(value, value - 1.96 * of_seed, value + 1.96 * of_seed) for value in values]
        spread = Spread.of(mean, seeds, confidence=0.95)
        wide = widen(mean, spread, confidence=0.95)
        held += wide.low <= 0.5 <= wide.high
        shares.append(spread.share)
    assert 0.93 < held / 4000 < 0.985
    if not of_seeds:
        assert np.mean(shares) < 0.2  # with the interaction in it: 0.5 to 0.9
    else:
        assert np.mean(shares) > 0.2


@pytest.mark.parametrize("hard", [0.2, 0.5])
def test_equal_models_have_hardly_a_share_due_to_seeds(hard: float) -> None:
    chance = np.random.default_rng(6)
    bootstrap = Bootstrap(resamples=200, confidence=0.95, seed=1)
    shares = []
    for _ in range(15):
        labels, is_hard = chance.integers(2, size=300), chance.random(300) < hard
        preds = [np.where(is_hard & (chance.random(300) < 0.4), 1 - labels, labels) for _ in range(3)]
        seeds = [make_results(labels, np.eye(2)[column] * 0.6 + 0.2).champion for column in preds]
        seeds = [dataclasses.replace(seed, metrics=_measure(seed.predictions, bootstrap)) for seed in seeds]
        results = Results(["a", "b"], "macro_f1", seeds, seeds[0])
        shares.append(summarise_seeds(results, "test", bootstrap, measure_seeds)[1]["accuracy"])
    assert np.mean(shares) < 0.2  # with the interaction in it: 0.4


def _measure(predictions: dict[str, Predictions], bootstrap: Bootstrap) -> dict[str, dict[str, MetricValue]]:
    """The metrics of one seed as evaluate writes them."""
    splits = {"test": predictions["test"]}
    written = measure_splits(splits, ["a", "b"], DecisionRule(), None, ordered=False, bootstrap=bootstrap)["test"]
    return {"val": {}, "test": {name: MetricValue(**entry) for name, entry in written.items() if name != "per_class"}}
