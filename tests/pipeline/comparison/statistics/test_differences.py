"""Differences of two models: against published examples, scipy, and simulations in which the truth is known."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from pipeline.comparison.statistics.differences import Difference, compare_means, compare_preds, min_detectable
from stages.metrics.bootstrap import Bootstrap
from tests.pipeline.comparison.statistics.simulation import draw, rejection_rates, table

OPTIONS = {"num_labels": 2, "bootstrap": Bootstrap(resamples=500, confidence=0.95, seed=1)}
DRUG_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]  # hours of sleep gained (Student, 1908)
DRUG_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
SEVERAL = (0.8008158493591746, 0.8389026640525891, -0.07850012322964162, 0.15467375261647054)
SEVERAL += (0.4423684151206455, 0.04016986910803641, 2.017951344283416, 0.6568870163861157)
SINGLE = (0.7607828923523016, 0.8408488063460478, 0.03296013674452501, 0.12873995278975447)
SINGLE += (0.04477611940298507, 0.03022574383141749, math.inf, None)


def test_a_mean_over_rows_gives_students_paired_example() -> None:
    # Student's sleep data, R: t.test(extra ~ group, data = sleep, paired = TRUE): t = -4.0621, df = 9, p = 0.002833
    difference = compare_means(np.zeros(10, dtype=np.int64), np.array([DRUG_1]), np.array([DRUG_2]), confidence=0.95)
    assert difference.value == pytest.approx(1.58)
    assert difference.degrees == 9
    assert difference.p_value == pytest.approx(0.002833, rel=1e-3)
    assert (difference.low, difference.high) == pytest.approx((0.7001, 2.4599), abs=1e-4)


def test_seeds_alone_give_students_unpaired_example() -> None:
    # The same numbers as seeds of a metric that all rows share: R's t.test(..., var.equal = TRUE): p = 0.07919, df = 18
    rows = 4
    base, head = (np.repeat(np.array(drug)[:, None], rows, axis=1) for drug in (DRUG_1, DRUG_2))
    difference = compare_means(np.zeros(rows, dtype=np.int64), base, head, confidence=0.95)
    assert difference.degrees == pytest.approx(18)
    assert difference.p_value == pytest.approx(0.07919, rel=1e-3)
    assert difference.seeds_share == pytest.approx(1.0)


def test_stratified_variance_counts_no_spread_between_classes() -> None:
    labels = np.repeat([0, 1], 50)
    losses = labels.astype(float)[None, :]
    difference = compare_means(labels, np.zeros((1, 100)), losses, confidence=0.95)
    assert difference.value == 0.5
    assert difference.error == 0.0


def test_the_bootstrap_error_of_accuracy_is_the_known_formula() -> None:
    labels, base, head = table(700, 60, 100, 140)
    difference = compare_preds(labels, base[None], head[None], num_labels=2, bootstrap=Bootstrap(4000, 0.95, 1))[
        "accuracy"
    ]
    share, value = 160 / 1000, 40 / 1000
    assert difference.value == pytest.approx(value)
    assert difference.error == pytest.approx(math.sqrt((share - value**2) / 1000), rel=0.05)
    assert difference.low == pytest.approx(value - 1.96 * difference.error, abs=0.003)


def test_the_same_predictions_differ_by_nothing() -> None:
    labels, base, _ = table(50, 10, 10, 10)
    for seeds in (1, 3):
        sides = np.repeat(base[None], seeds, axis=0)
        for difference in compare_preds(labels, sides, sides, **OPTIONS).values():
            assert (difference.value, difference.low, difference.high, difference.p_value) == (0, 0, 0, 1)
            assert difference.seeds_share == (None if seeds == 1 else 0.0)
            assert min_detectable(difference, confidence=0.95) is None


def test_few_differing_rows_prove_nothing() -> None:
    # Five rows better and none worse: the smallest two-sided p is 2 / 2**5, however many rows there are.
    labels, base, head = table(300, 0, 5, 100)
    differences = compare_preds(labels, base[None], head[None], **OPTIONS)
    assert min(difference.p_value for difference in differences.values()) >= 0.05


def test_resamples_bound_the_p_value_from_below() -> None:
    # 40 rows better and none worse: no resample reaches 0, so the two-sided p-value is 2 * (0 + 1) / (99 + 1).
    labels, base, head = table(100, 0, 40, 60)
    for first, second in ((base, head), (head, base)):
        bootstrap = Bootstrap(resamples=99, confidence=0.95, seed=1)
        differences = compare_preds(labels, first[None], second[None], num_labels=2, bootstrap=bootstrap)
        assert differences["accuracy"].p_value == 0.02


def test_the_p_value_of_accuracy_is_mcnemars() -> None:
    labels, base, head = table(50, 3, 9, 10)
    difference = compare_preds(labels, base[None], head[None], **OPTIONS)["accuracy"]
    assert difference.p_value == pytest.approx(stats.binomtest(3, 12).pvalue)


def test_the_interval_and_the_p_value_agree() -> None:
    generator = np.random.default_rng(3)
    for _ in range(40):
        labels, base, head = draw(generator, rows=150, gain=0.3)
        for difference in compare_preds(labels, base, head, **OPTIONS).values():
            if difference.p_value < 0.05:
                assert difference.low > 0 or difference.high < 0


@pytest.mark.parametrize(
    "options",
    [{"rows": 90}, {"rows": 400}, {"rows": 400, "seeds": 3, "spread": 0.2}, {"rows": 400, "seeds": 2, "spread": 0.5}],
    ids=["few rows", "rows", "three seeds", "two seeds"],
)
def test_false_alarms_stay_at_the_stated_rate(options: dict[str, float]) -> None:
    runs = 200
    alone, family = rejection_rates(runs, **options)
    chance = 2.6 * math.sqrt(0.05 * 0.95 / runs)  # 1 in 200 of a rate of exactly 5% would be above
    assert alone <= 0.05 + chance
    assert family <= 0.05 + chance


def test_one_seed_per_side_cannot_know_what_seeds_do() -> None:
    # The reason for the note in the comparison: rows alone call most pairs of far-moving seeds different.
    assert rejection_rates(60, rows=400, spread=0.5)[0] > 0.3


def test_power_is_as_computed() -> None:
    generator = np.random.default_rng(11)
    runs, rows, gain = 150, 600, 0.22
    differences = [compare_preds(*draw(generator, rows=rows, gain=gain), **OPTIONS)["accuracy"] for _ in range(runs)]
    truth = float(np.mean([difference.value for difference in differences]))
    smallest = float(np.mean([min_detectable(difference, confidence=0.95) or 0.0 for difference in differences]))
    power = stats.norm.cdf(truth / (smallest / 2.8016) - 1.96)  # what that standard error promises for this truth
    assert 0.5 < power < 0.95
    assert np.mean([difference.p_value < 0.05 for difference in differences]) == pytest.approx(power, abs=0.11)


def test_min_detectable_is_the_textbook_sum_of_quantiles() -> None:
    # Bloom, 1995: 2.80 standard errors for 80% power at 5%, two-sided; 2.228 + 0.879 with 10 degrees of freedom.
    for degrees, factor in ((math.inf, 2.80), (10, 3.11)):
        difference = Difference(0.8, 0.8, 0, 0, 1.0, 0.01, degrees, None)
        assert min_detectable(difference, confidence=0.95) == pytest.approx(0.01 * factor, abs=2e-4)
    assert min_detectable(difference, confidence=0.95, tests=3) > min_detectable(difference, confidence=0.95)  # type: ignore[operator]


def test_seeds_widen_the_interval_by_their_own_spread() -> None:
    generator = np.random.default_rng(5)
    labels, base, head = draw(generator, rows=400, seeds=3, spread=0.4)
    many = compare_preds(labels, base, head, **OPTIONS)["accuracy"]
    rows_alone = compare_preds(labels, base[:1], head[:1], **OPTIONS)["accuracy"]
    assert many.seeds_share is not None
    assert many.seeds_share > 0.5
    assert rows_alone.seeds_share is None
    assert 4 <= many.degrees < 50


def test_a_difference_of_fixed_numbers() -> None:
    # As computed before the tests were divided among modules; a change of a formula or of a seed's draws changes them.
    labels, base, head = draw(np.random.default_rng(13), rows=120, seeds=2, spread=0.3, gain=0.2)
    bootstrap = Bootstrap(resamples=200, confidence=0.9, seed=3)
    several = compare_preds(labels, base, head, num_labels=2, bootstrap=bootstrap)["macro_f1"]
    single = compare_preds(labels, base[:1], head[:1], num_labels=2, bootstrap=bootstrap)["macro_f1"]
    assert dataclasses.astuple(several) == pytest.approx(SEVERAL, abs=1e-9)
    assert dataclasses.astuple(single) == pytest.approx(SINGLE, abs=1e-9)


def test_two_seeds_against_one_are_combined_by_hand() -> None:
    # Two rows of one stratum. Base: one seed, losses 1 and 3. Head: two seeds, losses 2 and 2, and 4 and 8.
    base, head = np.array([[1.0, 3.0]]), np.array([[2.0, 2.0], [4.0, 8.0]])
    difference = compare_means(np.zeros(2, dtype=np.int64), base, head, confidence=0.95)
    rows = 0.0  # head's mean is 3 and 5, so both rows differ by 2
    spread = (2.0 - 4.0) ** 2 + (6.0 - 4.0) ** 2  # of head's seeds around their mean, 1 degree of freedom
    interaction = (0.0 + 4.0) / 2 - 1.0  # variance of a seed over the rows on average, minus that of the mean
    seeds = (spread - 2 * interaction) * (1 + 1 / 2)
    assert difference.value == 2.0
    assert difference.error == pytest.approx(math.sqrt(rows + seeds))
    assert difference.seeds_share == 1.0
    assert difference.degrees == 1.0  # Satterthwaite's are fewer: at least those of the seeds
    assert difference.high - difference.value == pytest.approx(difference.error * stats.t.ppf(0.975, 1))
    assert difference.p_value == pytest.approx(2 * stats.t.sf(2.0 / difference.error, 1))


def test_rows_and_seeds_are_combined_by_hand() -> None:
    # Three rows of one stratum; base has one seed, head two. The variances below are of a mean of three rows.
    base, head = np.array([[1.0, 3.0, 2.0]]), np.array([[2.0, 2.0, 3.0], [4.0, 10.0, 7.0]])
    difference = compare_means(np.zeros(3, dtype=np.int64), base, head, confidence=0.95)
    rows = 1 / 9  # of the differences 2, 3 and 3
    interaction = (1 / 9 + 3) / 2 - 7 / 9  # of head's seeds on average, minus that of their mean 3, 6 and 5
    spread = 98 / 9  # of head's means 7 / 3 and 7, 1 degree of freedom
    seeds = (spread - 2 * interaction) * (1 + 1 / 2)
    assert difference.value == pytest.approx(8 / 3)
    assert difference.error == pytest.approx(math.sqrt(rows + seeds))
    assert difference.seeds_share == pytest.approx(seeds / (rows + seeds))


def test_the_degrees_of_freedom_of_rows_and_seeds_are_combined_by_hand() -> None:
    # Head's second seed is better by 0.5 on each of three rows, so there is no interaction.
    difference = compare_means(
        np.zeros(3, dtype=np.int64),
        np.zeros((1, 3)),
        np.array([[1.0, 3.0, 8.0], [1.5, 3.5, 8.5]]),
        confidence=0.95,
    )
    rows, seeds = 26 / 2 / 3, 0.125 * (1 + 1 / 2)  # with 2 and 1 degrees of freedom
    assert difference.error == pytest.approx(math.sqrt(rows + seeds))
    assert difference.degrees == pytest.approx((rows + seeds) ** 2 / (rows**2 / 2 + seeds**2 / 1))


def test_a_class_of_one_row_and_a_class_without_rows_add_no_variance() -> None:
    labels, head = np.array([0, 0, 2, 2, 3]), np.array([[1.0, 3.0, 2.0, 6.0, 9.0]])
    difference = compare_means(labels, np.zeros((1, 5)), head, confidence=0.95)
    assert difference.degrees == 2  # five rows, three classes
    assert difference.error == pytest.approx(math.sqrt((2 + 8) / 2 / 5))


def test_where_each_class_has_one_row_the_error_is_unknown() -> None:
    difference = compare_means(np.array([0, 1]), np.zeros((1, 2)), np.array([[1.0, 2.0]]), confidence=0.95)
    assert (difference.value, difference.error, difference.degrees) == (1.5, 0.0, math.inf)
    assert min_detectable(difference, confidence=0.95) is None
