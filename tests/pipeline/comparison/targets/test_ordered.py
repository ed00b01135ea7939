"""Ordered classes are compared as classes, and their errors by how far off they are."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.comparison.gate import Gate, check_rules
from pipeline.comparison.metric_row import MetricRow
from pipeline.comparison.pairing import pair_split
from pipeline.comparison.targets import COMPARED, classes, ordered
from pipeline.comparison.verdicts import ComparisonOptions, compare_paired
from stages.errors import PipelineError
from stages.targets.target import Target
from tests.pipeline.comparison.builders import predictions

STARS = ["1", "2", "3"]
IDS = [f"row {row}" for row in range(60)]
LABELS = [row % 3 for row in range(60)]


def side(kind: Any, labels: list[str], *, name: str = "here", preds: list[int] = LABELS) -> Any:
    """A revision that predicts these labels."""
    numbers = [labels.index(STARS[label]) for label in LABELS]
    rows = [[0.8 if column == labels.index(STARS[pred]) else 0.1 for column in range(3)] for pred in preds]
    return SimpleNamespace(
        target=Target(kind, labels), predictions={"test": predictions(IDS, numbers, rows)}, name=name
    )


def rows_of(base: Any, head: Any) -> dict[str, MetricRow]:
    pairs = pair_split(base, head, "test")
    assert pairs is not None
    options = ComparisonOptions(metric="quadratic_kappa", confidence=0.95, seeds=(1, 1))
    return {row.name: row for row in compare_paired(pairs, "test", options)}


NEAR = [max(label - 1, 0) if row < 30 else label for row, label in enumerate(LABELS)]
FAR = [2 - label if row < 30 else label for row, label in enumerate(LABELS)]


def test_a_far_error_is_worse_than_a_near_one_in_the_right_direction() -> None:
    rows = rows_of(side("ordered", STARS, preds=NEAR), side("ordered", STARS, preds=FAR))
    kappa, error = rows["test.quadratic_kappa"], rows["test.mean_absolute_error"]
    assert (kappa.difference < 0, kappa.gained) == (True, False)
    assert (error.difference > 0, error.gained) == (True, False)
    assert rows["test.accuracy"].difference == 0  # as many rows are wrong
    assert error.base == pytest.approx(20 / 60)
    assert error.head == pytest.approx(40 / 60)
    back = rows_of(side("ordered", STARS, preds=FAR), side("ordered", STARS, preds=NEAR))
    assert back["test.quadratic_kappa"].gained
    assert back["test.mean_absolute_error"].gained


@pytest.mark.parametrize(("preds", "passes"), [((NEAR, FAR), False), ((FAR, NEAR), True)])
@pytest.mark.parametrize("metric", ["test.quadratic_kappa", "test.mean_absolute_error"])
def test_gates_bound_a_loss_in_the_direction_of_the_metric(
    metric: str, preds: tuple[list[int], list[int]], passes: bool
) -> None:
    base, head = (side("ordered", STARS, preds=side_preds) for side_preds in preds)
    (result,) = check_rules(Gate(max_drop={metric: 0.0}), "", list(rows_of(base, head).values()), {}, what="head")
    assert result.passed == passes, result
    assert ("rises" in result.rule) == (metric == "test.mean_absolute_error")


@pytest.mark.parametrize(("base", "head"), [("classes", "ordered"), ("ordered", "classes"), ("ordered", "ordered")])
def test_results_from_before_the_labels_had_an_order_are_compared(base: str, head: str) -> None:
    rows = rows_of(side(base, STARS, preds=FAR), side(head, ["3", "1", "2"], preds=NEAR))
    assert ("test.quadratic_kappa" in rows) == (head == "ordered")
    assert rows["test.accuracy"].base == rows["test.accuracy"].head == pytest.approx(40 / 60)


@pytest.mark.parametrize(("base", "head"), [("number", "ordered"), ("ordered", "number")])
def test_ordered_classes_and_numbers_are_different_tasks(base: str, head: str) -> None:
    sides = side(base, STARS, name="old"), side(head, STARS, name="new")
    words = {"ordered": "one of several classes", "number": "a number"}
    message = f"the label of old is {words[base]}, the label of new is {words[head]}"
    with pytest.raises(PipelineError, match=message):
        pair_split(*sides, "test")


def test_another_set_of_ordered_labels_is_another_task() -> None:
    other = replace(Target("ordered", STARS), labels=["1", "2", "4"])
    with pytest.raises(PipelineError, match="The label sets differ"):
        COMPARED["ordered"].align(
            side("ordered", STARS).predictions["test"], (Target("ordered", STARS), other), ("old", "new")
        )


def test_all_but_the_metrics_is_as_of_classes() -> None:
    differs = {name for name in ordered.__all__ if getattr(ordered, name) is not getattr(classes, name)}
    assert differs == {"metric_values"}
