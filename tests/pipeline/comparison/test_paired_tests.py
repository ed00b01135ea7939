"""Against published worked examples, scipy, and simulations in which the truth is known."""

import math

import numpy as np
import pytest
from scipy import stats

from pipeline.comparison.paired_tests import Difference, compare_means, compare_preds, detectable, holm, mcnemar
from stages.metrics.bootstrap import Ints

OPTIONS = {"num_labels": 2, "resamples": 500, "confidence": 0.95, "seed": 1}
DRUG_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]  # hours of sleep gained (Student, 1908)
DRUG_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def table(both: int, broken: int, fixed: int, neither: int) -> tuple[Ints, Ints, Ints]:
    """Labels (all 1) and predictions of base and head with so many rows right in both, in base, in head, in none."""
    base = np.repeat([1, 1, 0, 0], [both, broken, fixed, neither])
    head = np.repeat([1, 0, 1, 0], [both, broken, fixed, neither])
    return np.ones_like(base), base, head


@pytest.mark.parametrize(
    ("cells", "p_value", "source"),
    [
        ((59, 6, 16, 80), 0.0525, "Wikipedia's example of 6 against 16: exact p = 0.053"),
        ((9945, 25, 15, 15), 0.1539, "Raschka's two classifiers (25 against 15), by sums of whole numbers"),
        ((794, 150, 86, 570), 3.716e-05, "Agresti's approval ratings (86 against 150), by sums of whole numbers"),
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


def test_a_mean_over_rows_gives_students_paired_example() -> None:
    # Student's sleep data, R: t.test(extra ~ group, data = sleep, paired = TRUE): t = -4.0621, df = 9, p = 0.002833
    found = compare_means(np.zeros(10, dtype=np.int64), np.array([DRUG_1]), np.array([DRUG_2]), confidence=0.95)
    assert found.value == pytest.approx(1.58)
    assert found.degrees == 9
    assert found.p_value == pytest.approx(0.002833, rel=1e-3)
    assert (found.low, found.high) == pytest.approx((0.7001, 2.4599), abs=1e-4)


def test_seeds_alone_give_students_unpaired_example() -> None:
    # The same numbers as seeds of a metric that all rows share: R's t.test(..., var.equal = TRUE): p = 0.07919, df = 18
    rows = 4
    base, head = (np.repeat(np.array(drug)[:, None], rows, axis=1) for drug in (DRUG_1, DRUG_2))
    found = compare_means(np.zeros(rows, dtype=np.int64), base, head, confidence=0.95)
    assert found.degrees == pytest.approx(18)
    assert found.p_value == pytest.approx(0.07919, rel=1e-3)
    assert found.seeds_share == pytest.approx(1.0)


def test_stratified_variance_counts_no_spread_between_classes() -> None:
    labels = np.repeat([0, 1], 50)
    losses = labels.astype(float)[None, :]
    found = compare_means(labels, np.zeros((1, 100)), losses, confidence=0.95)
    assert found.value == 0.5
    assert found.error == 0.0


def test_the_bootstrap_error_of_accuracy_is_the_known_formula() -> None:
    labels, base, head = table(700, 60, 100, 140)
    found = compare_preds(labels, base[None], head[None], **{**OPTIONS, "resamples": 4000})["accuracy"]
    share, value = 160 / 1000, 40 / 1000
    assert found.value == pytest.approx(value)
    assert found.error == pytest.approx(math.sqrt((share - value**2) / 1000), rel=0.05)
    assert found.low == pytest.approx(value - 1.96 * found.error, abs=0.003)


def test_the_same_predictions_differ_by_nothing() -> None:
    labels, base, _ = table(50, 10, 10, 10)
    for seeds in (1, 3):
        sides = np.repeat(base[None], seeds, axis=0)
        for found in compare_preds(labels, sides, sides, **OPTIONS).values():
            assert (found.value, found.low, found.high, found.p_value) == (0, 0, 0, 1)
            assert detectable(found, confidence=0.95) is None


def test_few_differing_rows_prove_nothing() -> None:
    # Five rows better and none worse: the smallest two-sided p is 2 / 2**5, however many rows there are.
    labels, base, head = table(300, 0, 5, 100)
    found = compare_preds(labels, base[None], head[None], **OPTIONS)
    assert min(one.p_value for one in found.values()) >= 0.05


def test_the_interval_and_the_p_value_agree() -> None:
    generator = np.random.default_rng(3)
    for _ in range(40):
        labels, base, head = draw(generator, rows=150, gain=0.3)
        for found in compare_preds(labels, base, head, **OPTIONS).values():
            if found.p_value < 0.05:
                assert found.low > 0 or found.high < 0


def draw(
    generator: np.random.Generator, *, rows: int, seeds: int = 1, spread: float = 0.0, gain: float = 0.0
) -> tuple[Ints, Ints, Ints]:
    """Predictions of `seeds` models a side; `spread`: how far seeds move a model, `gain`: head's true advantage."""
    labels = (generator.random(rows) < 0.3).astype(np.int64)
    sign = 2 * labels - 1
    shared = sign + generator.normal(0, 1, rows)

    def side(advantage: float) -> Ints:
        moves = advantage + generator.normal(0, spread, (seeds, 1))
        return ((shared + moves * sign + generator.normal(0, 0.5, (seeds, rows))) > 0).astype(np.int64)

    return labels, side(0.0), side(gain)


def rejections(runs: int, **world: float) -> tuple[float, float]:
    """Shares of runs in which accuracy, and any of three metrics after Holm, is called different."""
    generator = np.random.default_rng(7)
    alone = family = 0
    for _ in range(runs):
        found = compare_preds(*draw(generator, **world), **{**OPTIONS, "resamples": 300})  # type: ignore[arg-type]
        alone += found["accuracy"].p_value < 0.05
        family += min(holm({name: found[name].p_value for name in ("accuracy", "macro_f1", "mcc")}).values()) < 0.05
    return alone / runs, family / runs


@pytest.mark.parametrize(
    "world",
    [{"rows": 90}, {"rows": 400}, {"rows": 400, "seeds": 3, "spread": 0.2}, {"rows": 400, "seeds": 2, "spread": 0.5}],
    ids=["few rows", "rows", "three seeds", "two seeds"],
)
def test_false_alarms_stay_at_the_stated_rate(world: dict[str, float]) -> None:
    runs = 200
    alone, family = rejections(runs, **world)
    chance = 2.6 * math.sqrt(0.05 * 0.95 / runs)  # 1 in 200 of a rate of exactly 5% would be above
    assert alone <= 0.05 + chance
    assert family <= 0.05 + chance


def test_one_seed_a_side_cannot_know_what_seeds_do() -> None:
    # The reason for the note in the comparison: rows alone call most pairs of far-moving seeds different.
    assert rejections(60, rows=400, spread=0.5)[0] > 0.3


def test_power_is_as_computed() -> None:
    generator = np.random.default_rng(11)
    runs, rows, gain = 150, 600, 0.22
    found = [compare_preds(*draw(generator, rows=rows, gain=gain), **OPTIONS)["accuracy"] for _ in range(runs)]
    truth = float(np.mean([one.value for one in found]))
    smallest = float(np.mean([detectable(one, confidence=0.95) or 0.0 for one in found]))
    power = stats.norm.cdf(truth / (smallest / 2.8016) - 1.96)  # what that standard error promises for this truth
    assert 0.5 < power < 0.95
    assert np.mean([one.p_value < 0.05 for one in found]) == pytest.approx(power, abs=0.11)


def test_detectable_is_the_textbook_sum_of_quantiles() -> None:
    # Bloom, 1995: 2.80 standard errors for 80% power at 5%, two-sided; 2.228 + 0.879 with 10 degrees of freedom.
    for degrees, factor in ((math.inf, 2.80), (10, 3.11)):
        found = Difference(0.8, 0.8, 0, 0, 1.0, 0.01, degrees, None)
        assert detectable(found, confidence=0.95) == pytest.approx(0.01 * factor, abs=2e-4)
    assert detectable(found, confidence=0.95, tests=3) > detectable(found, confidence=0.95)  # type: ignore[operator]


def test_seeds_widen_the_interval_by_their_own_spread() -> None:
    generator = np.random.default_rng(5)
    labels, base, head = draw(generator, rows=400, seeds=3, spread=0.4)
    many = compare_preds(labels, base, head, **OPTIONS)["accuracy"]
    rows_alone = compare_preds(labels, base[:1], head[:1], **OPTIONS)["accuracy"]
    assert many.seeds_share is not None
    assert many.seeds_share > 0.5
    assert rows_alone.seeds_share is None
    assert 4 <= many.degrees < 50
