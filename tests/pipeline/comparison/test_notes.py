"""The notes that a reader must know before trusting a verdict."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.comparison.notes import write_notes
from tests.pipeline.comparison.builders import paired, predictions


def side(name: str, *, stale: str = "", seeds: tuple[int, ...] = (1, 2), metrics: str = "test.mcc") -> Any:
    return SimpleNamespace(
        name=name, stale=stale.split, seeds=list(seeds), metrics=dict.fromkeys(metrics.split(), None)
    )


BASE, HEAD = side("v1"), side("workspace")
ROWS = predictions(["a", "b"], [0, 1], [[0.9, 0.1], [0.2, 0.8]], tokens=[3, 4])
SAME = paired(ROWS, ROWS)
ONE_SEED = (
    "Only one seed per side: this compares two trained models, not two configurations. "
    "Train several seeds to include run-to-run variation."
)


def test_a_comparison_with_nothing_to_note() -> None:
    assert write_notes(BASE, HEAD, SAME, "") == []
    assert write_notes(BASE, HEAD, None, "") == []


@pytest.mark.parametrize(
    ("stale", "stages"),
    [("split", "split"), ("a b c", "a, b, c"), ("a b c d", "a, b, c and 1 more"), ("a b c d e", "a, b, c and 2 more")],
)
def test_results_made_with_former_code_are_named(stale: str, stages: str) -> None:
    note = f"the results of {stages} were made with code or parameters that have changed since. Update them: retune run"
    assert write_notes(side("v1", stale=stale), HEAD, SAME, "") == [f"v1: {note}"]
    assert write_notes(BASE, side("workspace", stale=stale), SAME, "") == [f"workspace: {note}"]


def test_notes_of_both_sides_come_before_the_reason_for_unpaired_rows() -> None:
    notes = write_notes(side("v1", stale="a"), side("workspace", stale="b"), None, "Only the intervals.")
    assert [note.partition(" ")[0] for note in notes] == ["v1:", "workspace:", "Only"]


def test_rows_that_only_one_side_has_are_counted() -> None:
    rows = replace(SAME, split_rows=(1200, 2))
    assert write_notes(BASE, HEAD, rows, "") == [
        "The test rows differ (1,200 in v1, 2 in workspace): only the 2 common rows are compared."
    ]


def test_relabelled_rows_are_counted() -> None:
    assert write_notes(BASE, HEAD, replace(SAME, relabelled=1), "") == [
        "1 of the compared rows have another label in workspace: both sides are measured with that label."
    ]


def test_predictions_without_tokens_have_no_slices_by_length() -> None:
    old = replace(ROWS, tokens=None)
    note = (
        "workspace was evaluated by an older version, which did not record how many tokens a row has: "
        "there are no slices by length."
    )
    assert write_notes(BASE, HEAD, paired(ROWS, old), "") == [note]
    assert write_notes(BASE, HEAD, paired(old, ROWS), "") == []


@pytest.mark.parametrize(
    ("base", "head", "identical", "notes"),
    [
        ((1,), (1,), False, [ONE_SEED]),
        ((1,), (1,), True, []),
        ((1,), (1, 2), False, []),
        ((1, 2), (1,), False, []),
        ((1, 2), (1, 2), False, []),
    ],
)
def test_one_seed_on_both_sides_says_nothing_about_configurations(
    base: tuple[int, ...], head: tuple[int, ...], identical: bool, notes: list[str]
) -> None:
    other = predictions(["a", "b"], [0, 1], [[0.8, 0.2], [0.2, 0.8]], tokens=[3, 4])
    pairs = SAME if identical else paired(ROWS, other)
    assert write_notes(side("v1", seeds=base), side("workspace", seeds=head), pairs, "") == notes


@pytest.mark.parametrize(
    ("metrics", "listed"),
    [
        ("test.mcc test.b test.a", "test.a, test.b"),
        ("test.mcc a b c d e", "a, b, c, d, e"),
        ("test.mcc f e d c b a", "a, b, c, d, e and more"),
    ],
)
def test_metrics_that_only_one_side_has_are_named(metrics: str, listed: str) -> None:
    assert write_notes(side("v1", metrics=metrics), HEAD, SAME, "") == [f"Only v1 has {listed}."]
    assert write_notes(BASE, side("workspace", metrics=metrics), SAME, "") == [f"Only workspace has {listed}."]
