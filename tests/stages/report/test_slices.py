"""Slices: how rows are divided, and the metric of each part."""

import numpy as np
import pytest

from stages.report.slices import score_slices, token_slices

OPTIONS = {"resamples": 300, "confidence": 0.95, "seed": 1}


def test_slices_come_weakest_first_with_rows_and_interval() -> None:
    labels = np.array([0, 1] * 40)
    preds = labels.copy()
    preds[:20] = 1 - preds[:20]
    columns = {"part": ["first"] * 20 + ["second"] * 60, "same": ["same"] * 80, "none": [None] * 80}
    slices = score_slices(columns, labels, preds, metric="accuracy", num_labels=2, **OPTIONS)
    assert [(part.column, part.name, part.rows, part.small, part.value) for part in slices] == [
        ("part", "first", 20, True, 0.0),
        ("part", "second", 60, False, 1.0),
    ]


def test_quarters_by_length_hold_about_a_quarter_each() -> None:
    lengths = np.random.default_rng(0).integers(3, 60, size=400)
    columns = token_slices(lengths, np.maximum(lengths - 50, 0))
    _, counts = np.unique(columns["length"], return_counts=True)
    assert counts == pytest.approx([100] * 4, abs=12)
    assert columns["truncation"].count("cut") == int((lengths > 50).sum())
    assert columns["truncation"].count("whole") == int((lengths <= 50).sum())


def test_of_many_values_the_most_frequent_are_slices_and_the_rest_is_one_slice() -> None:
    labels = np.array([0, 1] * 100)
    values = [None] * 40 + [f"v{row % 12}" for row in range(120)] + [f"rare {row}" for row in range(40)]
    slices = score_slices({"version": values}, labels, labels, metric="accuracy", num_labels=2, **OPTIONS)
    rows = {part.name: part.rows for part in slices}
    assert len(rows) == 13
    assert sum(rows.values()) == 200
    assert rows["(none)"] == 40
    assert rows["41 other values"] == 50  # one of the twelve equal ones gave its place to the rows without a value
    assert {part.small for part in slices if part.rows < 30} == {True}


def test_a_value_is_shown_up_to_sixty_characters() -> None:
    labels = np.array([0, 1] * 30)
    values = ["a" * 100, "b"] * 30
    slices = score_slices({"note": values}, labels, labels, metric="accuracy", num_labels=2, **OPTIONS)
    assert {part.name for part in slices} == {"a" * 60, "b"}
