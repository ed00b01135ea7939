"""Rows with label sets are divided so that every label has its share, and what belongs together stays together."""

import numpy as np
import pytest

from stages.split.label_sets import stratify_sets

SHARES = {"test": 0.2, "val": 0.1}


def draw_sets(rows: int, *, seed: int = 0) -> np.ndarray:
    """Label sets: a common label, a rare one, and two that go together; many rows have none."""
    chance = np.random.default_rng(seed)
    labels = chance.random((rows, 4)) < np.array([0.4, 0.03, 0.2, 0.2])
    labels[:, 3] |= labels[:, 2] & (chance.random(rows) < 0.8)
    return labels


def shares_of(labels: np.ndarray, assigned: np.ndarray, split: int) -> np.ndarray:
    return labels[assigned == split].sum(0) / labels.sum(0)


@pytest.mark.parametrize("seed", range(5))
def test_every_label_and_the_empty_set_have_their_share(seed: int) -> None:
    labels = draw_sets(1_000, seed=seed)
    with_none = np.hstack([labels, ~labels.any(1, keepdims=True)])
    assigned = stratify_sets(labels, np.arange(1_000), shares=SHARES, seed=seed)
    counts = np.stack([with_none[assigned == split].sum(0) for split in range(3)])
    exact = np.array([0.7, 0.2, 0.1])[:, None] * with_none.sum(0)
    assert np.abs(counts - exact).max() <= 3  # rows; a random division is off by 10 or more
    assert np.bincount(assigned).tolist() == pytest.approx([700, 200, 100], abs=10)  # the labels come first


@pytest.mark.parametrize("seed", range(5))
def test_components_stay_whole_and_labels_still_have_about_their_share(seed: int) -> None:
    labels = draw_sets(1_000, seed=seed)
    component = np.unique(np.random.default_rng(seed).integers(0, 400, 1_000), return_inverse=True)[1]
    assigned = stratify_sets(labels, component, shares=SHARES, seed=seed)
    assert all(len(set(assigned[component == number])) == 1 for number in range(component.max() + 1))
    common = [0, 2, 3]
    assert shares_of(labels, assigned, 1)[common] == pytest.approx(0.2, abs=0.03)
    assert shares_of(labels, assigned, 2)[common] == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("rows_of_rare", [3, 4, 5, 9])
def test_a_rare_label_is_in_every_split(rows_of_rare: int) -> None:
    labels = np.zeros((100, 2), dtype=bool)
    labels[:50, 0] = True
    labels[40 : 40 + rows_of_rare, 1] = True
    for seed in range(5):
        assigned = stratify_sets(labels, np.arange(100), shares=SHARES, seed=seed)
        assert set(assigned[labels[:, 1]]) == {0, 1, 2}


def test_the_seed_alone_decides() -> None:
    labels, component = draw_sets(200), np.arange(200)
    divisions = [stratify_sets(labels, component, shares=SHARES, seed=seed) for seed in (1, 1, 2)]
    assert (divisions[0] == divisions[1]).all()
    assert (divisions[0] != divisions[2]).any()


def test_a_large_component_does_not_overfill_a_small_split() -> None:
    labels = np.ones((100, 1), dtype=bool)
    component = np.concatenate([np.zeros(40, dtype=np.int64), np.arange(1, 61)])
    assigned = stratify_sets(labels, component, shares=SHARES, seed=0)
    assert assigned[0] == 0
    assert np.bincount(assigned).tolist() == [70, 20, 10]


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_rows(rows: int) -> None:
    assert len(stratify_sets(np.ones((rows, 2), dtype=bool), np.arange(rows), shares=SHARES, seed=0)) == rows
