"""How many rows of each class a split gets, and which rows these are."""

import numpy as np
import pytest

from stages.split.stratify import apportion, stratify


@pytest.mark.parametrize(
    ("per_label", "total", "least", "expected"),
    [
        ([10, 25, 65], 7, 1, [1, 2, 4]),  # 0.7, 1.75 and 4.55 rows: the two left go to the largest remainders
        ([50, 50], 5, 1, [3, 2]),  # equal remainders: the first class
        ([10, 15] * 20, 25, 0, [1, 1] * 5 + [0, 1] * 15),  # 0.5 and 0.75 rows
        ([20, 2, 1], 2, 1, [2, 1, 0]),  # at least 1 where a class has 2 rows or more
        ([30, 4, 3], 3, 2, [3, 2, 0]),
        ([10, 4], 1, 1, [1, 1]),
        ([10, 4], 0, 1, [0, 0]),
        ([10, 0, 4], 14, 1, [10, 0, 4]),
        ([0, 0], 0, 1, [0, 0]),
    ],
)
def test_rows_are_apportioned_by_largest_remainder(
    per_label: list[int], total: int, least: int, expected: list[int]
) -> None:
    assert apportion(np.array(per_label), total, least=least).tolist() == expected


def test_single_rows_fill_the_splits_in_their_shuffled_order() -> None:
    label = np.repeat([0, 1], [60, 30])
    assigned = stratify(label, np.arange(90), shares={"test": 0.2, "val": 0.1}, seed=5)
    shuffled = np.random.default_rng(5).permutation(90)
    for index, test, val in ((0, 12, 6), (1, 6, 3)):
        expected = [1] * test + [2] * val
        rows = shuffled[label[shuffled] == index]
        assert assigned[rows].tolist() == expected + [0] * (len(rows) - len(expected))


def test_a_share_that_is_a_whole_number_of_rows_is_not_rounded_up() -> None:
    assert 0.07 * 100 > 7
    assert np.bincount(stratify(np.zeros(100, dtype=np.int64), np.arange(100), shares={"test": 0.07}, seed=0))[1] == 7


def by_sizes(*sizes: int) -> np.ndarray:
    return np.repeat(np.arange(len(sizes)), sizes)


@pytest.mark.parametrize(
    ("component", "label", "test", "rows_of_test"),
    [
        # all pairs, one of them to test
        (by_sizes(*[2] * 5), [0] * 10, 0.2, [2]),
        # the largest first: 8 rows are nearer to the 12 of train than to the 8 of test, and the pairs fill both
        (by_sizes(*[2] * 6, 8), [0] * 20, 0.4, [8]),
        # 7 rows overfill the 6 of test, and no single row comes on top of them
        (by_sizes(7, 1, 1, 1), [0] * 10, 0.6, [7]),
        # the pair of class 1 is too much for the one row that test should get of it
        (by_sizes(2, *[1] * 18), [1] * 2 + [0] * 16 + [1] * 2, 0.2, [3, 1]),
    ],
)
def test_components_go_where_they_disturb_least(
    component: np.ndarray, label: list[int], test: float, rows_of_test: list[int]
) -> None:
    for seed in range(5):
        assigned = stratify(np.array(label), component, shares={"test": test}, seed=seed)
        assert all(len(set(assigned[component == number])) == 1 for number in component)
        assert np.bincount(np.array(label)[assigned == 1], minlength=max(label) + 1).tolist() == rows_of_test


def test_a_seed_divides_components_alike_in_every_version() -> None:
    rows = np.arange(60)
    label = rows * rows % 7 % 3
    component = np.unique(np.where(rows % 3 == 0, rows // 2 % 8, rows + 100), return_inverse=True)[1]
    assigned = stratify(label, component, shares={"test": 0.2, "val": 0.1}, seed=7)
    assert "".join(map(str, assigned)) == "000020000110200010012000101110000002010000100202000001000100"


def test_a_component_goes_where_the_squared_distance_to_the_targets_grows_least() -> None:
    component = by_sizes(10, 6, 5, *[1] * 19)
    assigned = stratify(np.zeros(40, dtype=np.int64), component, shares={"test": 0.4}, seed=0)
    # Train should get 24 rows and test 16. The 10 rows go to train and the 6 to test, so 14 and 10 are missing. The 5
    # rows then change the distance by 5 * (5 - 2 * 14) / 24 = -4.8 in train, by 5 * (5 - 2 * 10) / 16 = -4.7 in test.
    assert assigned[[0, 10, 16]].tolist() == [0, 1, 0]
