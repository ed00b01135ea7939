"""The notes that a reader must know before trusting a verdict."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.comparison.earlier_results import Looks, SeedSpread
from pipeline.comparison.notes import write_notes as write_all_notes
from pipeline.comparison.revision_metrics import Headline
from pipeline.comparison.statistics.looks import next_level
from pipeline.comparison.verdicts import ComparisonOptions
from tests.pipeline.comparison.builders import paired, predictions


def side(
    name: str,
    *,
    stale: str = "",
    seeds: tuple[int, ...] = (1, 2),
    metrics: str = "test.mcc",
    collapsed: str = "",
    weights: str = "none",
    precisions: tuple[Any, ...] = (),
) -> Any:
    return SimpleNamespace(
        name=name,
        stale=stale.split,
        seeds=list(seeds),
        metrics=dict.fromkeys(metrics.split(), None),
        found_headline=Headline({}),
        replaced={},
        why_incomplete="",
        params_of_results={"finetune": {"class_weights": weights}},
        report={"champion": {"seed": 1}, "collapsed": dict.fromkeys(collapsed.split(), "ham")},
        evaluation=lambda seed: dict(enumerate({"precision": one} for one in precisions)).get(seed - 1, {}),
    )


BASE, HEAD = side("v1"), side("workspace")
ROWS = predictions(["a", "b"], [0, 1], [[0.9, 0.1], [0.2, 0.8]], tokens=[3, 4])
SAME = paired(ROWS, ROWS)
ADVICE = "Train at least two seeds per side (seeds in params.yaml)"


def write_notes(base: Any, head: Any, test: Any, unpaired: str, looks: Any = None, spread: Any = None) -> list[str]:
    seeds = len(base.seeds), len(head.seeds)
    return write_all_notes(
        base, head, test, unpaired, ComparisonOptions("mcc", 0.95, seeds=seeds, spread=spread), looks
    )


def test_a_comparison_with_nothing_to_note() -> None:
    assert write_notes(BASE, HEAD, SAME, "") == []
    assert write_notes(BASE, HEAD, None, "") == []


@pytest.mark.parametrize(
    ("stale", "stages"),
    [("split", "split"), ("a b c", "a, b, c"), ("a b c d", "a, b, c and 1 more"), ("a b c d e", "a, b, c and 2 more")],
)
def test_results_made_with_former_code_are_named(stale: str, stages: str) -> None:
    note = (
        f"its results are out of date: {stages} did not run with its command, code, parameters and data. "
        "Update them: retune run"
    )
    assert write_notes(side("v1", stale=stale), HEAD, SAME, "") == [f"v1: {note}"]
    assert write_notes(BASE, side("workspace", stale=stale), SAME, "") == [f"workspace: {note}"]


@pytest.mark.parametrize("test", [SAME, None])
def test_a_model_that_predicts_one_label_is_named_with_its_side(test: Any) -> None:
    base, head = write_notes(side("v1", collapsed="1"), side("workspace", collapsed="2"), test, "")
    assert base.startswith("v1: The model always predicts “ham”")
    assert head.startswith("workspace: 1 of 1 seeds always predicts one label (2)")


def test_class_weights_are_advised_to_the_side_that_has_none() -> None:
    sides = side("v1", collapsed="1"), side("workspace", collapsed="1", weights="balanced")
    assert ["finetune.class_weights" in note for note in write_notes(*sides, None, "")] == [True, False]


def test_notes_of_both_sides_come_before_the_reason_for_unpaired_rows() -> None:
    notes = write_notes(side("v1", stale="a"), side("workspace", stale="b"), None, "Only the intervals.")
    assert [note.partition(" ")[0] for note in notes] == ["v1:", "workspace:", "Only"]


def test_rows_that_only_one_side_has_are_counted() -> None:
    rows = replace(SAME, split_rows=(1200, 2))
    assert write_notes(BASE, HEAD, rows, "") == [
        "The test rows differ (1,200 in v1, 2 in workspace): only the 2 common rows are compared."
    ]


def test_relabelled_rows_are_counted_and_measured_both_ways() -> None:
    right = [[0.9, 0.1], [0.2, 0.8], [0.8, 0.2], [0.3, 0.7]]
    ids, tokens = ["a", "b", "c", "d"], [1, 2, 3, 4]
    base = predictions(ids, [0, 1, 1, 1], right, tokens=tokens)  # c has the wrong label, and base saw through it
    head = predictions(ids, [0, 1, 0, 1], [*right[:3], [0.7, 0.3]], tokens=tokens)
    assert write_notes(BASE, HEAD, paired(base, head), "") == [
        "1 of the compared rows have another label in workspace: both sides are measured with that label. "
        "With the labels of v1, test.mcc is 0.577 -> 0.333."
    ]


def test_predictions_without_tokens_have_no_slices_by_length() -> None:
    old = replace(ROWS, tokens=None)
    note = (
        "workspace was evaluated by an older version, which did not record how many tokens a row has: "
        "there are no slices by length."
    )
    assert write_notes(BASE, HEAD, paired(ROWS, old), "") == [note]
    assert write_notes(BASE, HEAD, paired(old, ROWS), "") == []


@pytest.mark.parametrize("test", ["rows", "no rows", "identical"])
@pytest.mark.parametrize(
    ("base", "head", "words"),
    [
        (("bf16", "bf16"), ("32", "32"), "v1 was predicted in bf16, workspace in float32: "),
        (("32", "32"), ("bf16", "bf16"), "v1 was predicted in float32, workspace in bf16: "),
        (("bf16", "bf16"), ("bf16", "bf16"), None),
        (("bf16", "32"), ("32", "32"), "v1 was predicted in bf16 and float32, workspace in float32: "),
        ((), ("32", "32"), None),  # of an older version
        (("32",), ("bf16", "bf16"), None),  # a seed's file is missing
        (({"x": []}, ["32"]), ("32", "32"), None),  # a pull request's file can hold anything
    ],
)
def test_predictions_of_different_precision_are_noted(
    base: tuple[Any, ...], head: tuple[Any, ...], words: str | None, test: str
) -> None:
    other = predictions(["a", "b"], [0, 1], [[0.8, 0.2], [0.2, 0.8]], tokens=[3, 4])
    rows = {"rows": paired(ROWS, other), "no rows": None, "identical": SAME}[test]
    notes = write_notes(side("v1", precisions=base), side("workspace", precisions=head), rows, "")
    assert [note.startswith(words or "never") for note in notes] == ([True] if words and test != "identical" else [])


@pytest.mark.parametrize("test", ["rows", "no rows", "identical"])
@pytest.mark.parametrize(
    ("base", "head", "spread", "note"),
    [
        (
            (1,),
            (1,),
            0,
            f"One seed per side: this compares two models, not the two configurations that made them, "
            f"because another seed might give another result. {ADVICE}.",
        ),
        (
            (1,),
            (1,),
            1,
            "One seed per side: the variation between seeds is estimated from 1 earlier result with several seeds "
            f"on these test rows. {ADVICE} to measure it here.",
        ),
        (
            (1,),
            (1, 2, 3),
            2,
            f"v1 has one seed: its variation between seeds is estimated from the 3 seeds of workspace. {ADVICE} to "
            "measure both.",
        ),
        (
            (1, 2),
            (1,),
            0,
            f"workspace has one seed: its variation between seeds is estimated from the 2 seeds of v1. {ADVICE} to "
            "measure both.",
        ),
        ((1, 2), (1, 2), 1, ""),
    ],
)
def test_where_the_chance_of_seeds_is_known_from_is_said(
    base: tuple[int, ...], head: tuple[int, ...], spread: int, note: str, test: str
) -> None:
    other = predictions(["a", "b"], [0, 1], [[0.8, 0.2], [0.2, 0.8]], tokens=[3, 4])
    rows = {"rows": paired(ROWS, other), "no rows": None, "identical": SAME}[test]
    earlier = SeedSpread(spread, 2, {}) if spread else None
    notes = write_notes(side("v1", seeds=base), side("workspace", seeds=head), rows, "", spread=earlier)
    assert notes == ([note] if note and test != "identical" else [])


def looks(earlier: int, *, complete: bool = True) -> Looks:
    return Looks(earlier, next_level([0.5] * earlier, rate=0.05), 0.05, complete)


@pytest.mark.parametrize(
    ("earlier", "words"), [(0, ""), (1, "git has 1 comparison on"), (9, "git has 9 comparisons on")]
)
def test_comparisons_on_the_same_rows_are_counted(earlier: int, words: str) -> None:
    notes = write_notes(BASE, HEAD, SAME, "", looks(earlier))
    assert bool(notes) == (earlier > 0)
    assert words in "".join(notes[:1])


def test_a_worn_out_test_set_is_said_with_the_rows_that_restore_it() -> None:
    used, worn = write_notes(BASE, HEAD, SAME, "", looks(50))
    assert "p <= 4.1e-05" in used
    assert worn.startswith("The test set is worn out: after so many comparisons its 2 rows detect no more than 1")
    assert worn.endswith("2 fresh rows would restore its power.")


def test_a_shallow_clone_may_lack_comparisons() -> None:
    (note,) = write_notes(BASE, HEAD, SAME, "", looks(0, complete=False))
    assert "git fetch --unshallow" in note


def test_rows_that_belong_together_are_said() -> None:
    grouped = replace(ROWS, groups=np.array([4, 4]))
    other = predictions(["a", "b"], [0, 1], [[0.8, 0.2], [0.2, 0.8]], tokens=[3, 4])
    (note,) = write_notes(BASE, HEAD, paired(other, grouped), "")
    assert note == "Rows that belong together count as one: the 2 compared rows are 1 independent groups."


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
