"""The hash of a row's content against published values of SplitMix64, and which rows of a component are kept."""

import numpy as np
import pytest

from stages.split.hashing import assign_by_hash, keep_one_split

STEP = 2.0**-53  # the hash is a multiple of it
SPLITMIX64 = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC]  # outputs for state 0
GAMMA = 0x9E3779B97F4A7C15 - 2**64  # SplitMix64 adds it to the state before each output


@pytest.mark.parametrize(
    ("content", "seed", "output"),
    [(0, seed, output) for seed, output in enumerate(SPLITMIX64)]
    + [(GAMMA, 0, SPLITMIX64[1]), (-GAMMA, 1, SPLITMIX64[0]), (0, 2**64, SPLITMIX64[0])],
)
def test_the_hash_is_splitmix64_of_content_and_seed(content: int, seed: int, output: int) -> None:
    uniform = (output >> 11) * STEP
    rows = np.array([content])
    shares = {"below": uniform, "equal": STEP, "above": 1 - uniform - STEP}
    assert assign_by_hash(rows, shares=shares, seed=seed).tolist() == [2]
    assert assign_by_hash(rows, shares={"below": uniform}, seed=seed).tolist() == [0], "a share ends before its end"


def test_shares_are_met_on_average_and_the_rest_is_train() -> None:
    content = np.random.default_rng(0).integers(-(2**63), 2**63, 100_000)
    assigned = assign_by_hash(content, shares={"test": 0.05, "val": 0.2}, seed=3)
    assert np.bincount(assigned) / 100_000 == pytest.approx([0.75, 0.05, 0.2], abs=0.005)


@pytest.mark.parametrize(
    ("assigned", "component", "kept"),
    [
        ([0, 1, 2], [0, 0, 0], [False, True, False]),  # test before val and train
        ([0, 2, 2], [0, 0, 0], [False, True, True]),  # val before train
        ([0, 0, 0], [0, 0, 0], [True, True, True]),
        ([2, 0, 1, 0], [1, 0, 1, 1], [False, True, True, False]),
        ([0, 1, 2], [2, 1, 0], [True, True, True]),
        ([], [], []),
    ],
)
def test_a_component_keeps_the_rows_of_its_first_measured_split(
    assigned: list[int], component: list[int], kept: list[bool]
) -> None:
    result = keep_one_split(np.array(assigned, dtype=np.int64), np.array(component, dtype=np.int64))
    assert result.tolist() == kept
