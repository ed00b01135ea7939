"""Pairing rows by id, and predictions whose labels are numbered differently."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.comparison.paired_rows import pair_by_id
from pipeline.comparison.seed_predictions import merge_seeds
from stages.errors import PipelineError
from stages.predictions import Predictions
from stages.targets.target import Target
from tests.pipeline.comparison.builders import paired, predictions


def test_pairs_follow_the_ids_whatever_their_order() -> None:
    base = predictions(["a", "b", "c"], [0, 1, 0], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], tokens=[1, 2, 3])
    head = predictions(["c", "x", "a"], [1, 1, 0], [[0.1, 0.9], [0.5, 0.5], [0.8, 0.2]], tokens=[7, 8, 9])
    pairs = paired(base, head)
    assert len(pairs) == 2
    assert pairs.ids.to_pylist() == ["c", "a"]
    assert pairs.labels.tolist() == [1, 0]  # head's
    assert pairs.relabelled == 1
    assert pairs.split_rows == (3, 3)
    assert pairs.base.preds.tolist() == [[1, 0]]
    assert pairs.base.tokens is not None
    assert pairs.base.tokens.tolist() == [3, 1]
    assert pairs.head.tokens is not None
    assert pairs.head.tokens.tolist() == [7, 9]
    assert not pairs.same_rows


def test_predictions_without_a_common_id_are_no_pair() -> None:
    base = predictions(["a"], [0], [[1, 0]])
    assert pair_by_id(base, predictions(["z"], [0], [[1, 0]]), Target("classes", ["no", "yes"])) is None


def test_the_same_rows_in_another_order_are_the_same_rows() -> None:
    base = predictions(["a", "b"], [0, 1], [[0.9, 0.1], [0.2, 0.8]])
    head = predictions(["b", "a"], [1, 0], [[0.2, 0.8], [0.9, 0.1]])
    pairs = paired(base, head)
    assert pairs.same_rows
    assert pairs.identical
    assert pairs.relabelled == 0


def test_another_probability_or_another_number_of_seeds_is_not_identical() -> None:
    base = predictions(["a"], [0], [[0.9, 0.1]])
    assert not paired(base, predictions(["a"], [0], [[0.8, 0.2]])).identical
    two = merge_seeds({seed: _seed(["a"], [[0.9, 0.1]]) for seed in (1, 2)}, name="test of head")
    assert not paired(base, two).identical


def test_labels_numbered_in_another_order_are_the_same_task() -> None:
    base = predictions(
        ["a", "b", "c"], [0, 1, 2], [[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.3, 0.5]], tokens=[1, 2, 3]
    )
    result = base.reorder_labels(["x", "y", "z"], ["z", "x", "y"])
    assert result.labels.tolist() == [1, 2, 0]
    assert result.preds.tolist() == [[1, 2, 0]]
    assert result.probabilities[1][0].tolist() == pytest.approx([0.1, 0.7, 0.2])
    assert result.tokens is base.tokens
    assert result.ids is base.ids
    assert base.reorder_labels(["x", "y", "z"], ["x", "y", "z"]) is base


def _seed(ids: list[str], probabilities: list[list[float]]) -> Predictions:
    return Predictions(
        positions=np.arange(len(ids)),
        ids=ids,
        labels=np.zeros(len(ids), dtype=np.int64),
        probabilities=np.array(probabilities, dtype=np.float32),
        tokens=np.arange(len(ids)),
    )


def test_seeds_are_merged_in_order() -> None:
    merged = merge_seeds({7: _seed(["a"], [[0.9, 0.1]]), 3: _seed(["a"], [[0.2, 0.8]])}, name="test of v1")
    assert list(merged.probabilities) == [7, 3]
    assert merged.preds.tolist() == [[0], [1]]
    assert merged.ids.to_pylist() == ["a"]
    assert merged.tokens is not None


def test_seeds_that_were_evaluated_on_different_rows_are_an_error() -> None:
    seeds = {7: _seed(["a"], [[0.9, 0.1]]), 3: _seed(["b"], [[0.2, 0.8]])}
    with pytest.raises(PipelineError, match=r"test of v1: seeds 7 and 3 were evaluated on different rows.*retune run"):
        merge_seeds(seeds, name="test of v1")


def test_decided_labels_are_those_that_are_compared_however_rows_and_labels_are_ordered() -> None:
    side = predictions(["a", "b", "c"], [0, 1, 1], [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]])
    side = replace(side, decided={1: np.array([0, 1, 1])})  # b by a threshold
    assert side.preds.tolist() == [[0, 1, 1]]
    assert side.take(np.array([2, 1])).preds.tolist() == [[1, 1]]
    assert side.reorder_labels(["no", "yes"], ["yes", "no"]).preds.tolist() == [[1, 0, 0]]


@pytest.mark.parametrize(
    ("base", "head", "units"),
    [
        (None, None, None),
        (None, [7, 7, 3], [1, 1, 0]),
        ([5, 6, 6], None, [0, 1, 1]),
        ([5, 6, 6], [1, 2, 3], None),  # head's groups count, and here every row is its own
    ],
)
def test_rows_that_belong_together_are_a_unit(base: Any, head: Any, units: Any) -> None:
    ids, labels, probabilities = ["a", "b", "c"], [0, 1, 0], [[0.9, 0.1]] * 3
    sides = [
        replace(predictions(ids, labels, probabilities), groups=None if groups is None else np.array(groups))
        for groups in (base, head)
    ]
    found = paired(*sides).units
    assert (found if found is None else found.tolist()) == units
