"""Sentences about a comparison, and small plots."""

import dataclasses

import pytest

from pipeline.comparison.changes import Changes, DataChange
from pipeline.comparison.metric_row import MetricRow
from pipeline.comparison.render import wording
from pipeline.comparison.render.strips import BAR, STRIP, bar, interval_strips, strip
from pipeline.comparison.statistics.power import Needs
from stages.shown import shorten
from tests.pipeline.comparison.builders import comparison

SAME = DataChange(known=True, rows=(1, 1))


def test_an_interval_is_drawn_around_zero() -> None:
    rows = [MetricRow("test.a", 0.5, 0.6, 0.06, 0.14), MetricRow("test.b", 0.5, 0.4, -0.2, 0.0)]
    assert interval_strips(rows) == ["··········│··├─●─┤···", "├────●────┤··········"]


def test_a_metric_without_an_interval_is_a_point() -> None:
    assert interval_strips([MetricRow("test.a", 0.5, 0.5, None, None)]) == ["··········●··········"]
    assert strip(None, 2.0, None, low=0.0, high=1.0) == "·" * (STRIP - 1) + "●"
    assert strip(0.5, 0.5, 0.5, low=0.5, high=0.5).count("●") == 1


def test_a_bar_is_as_long_as_its_value_and_never_empty_for_a_row() -> None:
    assert bar(10, 10) == "█" * BAR
    assert bar(5, 10) == "█" * (BAR // 2)
    assert bar(1, 1000) == "█"
    assert bar(0, 10) == ""
    assert bar(0, 0) == ""


def test_a_sentence_for_every_verdict() -> None:
    plain = comparison("x")
    noise, better, differ = (
        [dataclasses.replace(row, verdict=verdict) for row in plain.metrics]  # type: ignore[arg-type]
        for verdict in ("within noise", "better", "differ")
    )
    numbers = "test.macro_f1 0.800 -> 0.700, -0.100, 95% interval -0.140 to -0.060"
    for verdict, rows, expected in (
        ("identical", plain.metrics, "identical: the same predictions for all 500 test rows"),
        ("worse", plain.metrics, f"worse: {numbers}"),
        ("better", better, f"better: {numbers}; also test.mcc +0.010"),
        (
            "differ",
            differ,
            f"these two models differ: {numbers}; also test.mcc +0.010. The reason may be the change or only the seed",
        ),
        (
            "within noise",
            noise,
            f"within noise: {numbers}. A true difference of 0.050 or more would have been detected 8 times out of 10",
        ),
        ("unknown", [], "unknown: the two sides have no headline metric of test in common"),
    ):
        changed = dataclasses.replace(plain, verdict=verdict, metrics=rows)  # type: ignore[arg-type]
        assert wording.verdict_sentence(changed) == expected


@pytest.mark.parametrize(
    ("needs", "difference", "expected"),
    [
        (Needs(1200, None), 0.02, ". Detecting 0.020 would take about 1,200 test rows"),
        (Needs(1200, 6), -0.02, ". Detecting 0.020 would take about 1,200 test rows or 6 seeds per side"),
        (Needs(None, 6), 0.02, ". Detecting 0.020 would take about 6 seeds per side"),
        (Needs(205_759, None), 0.02, ". Detecting 0.020 would take about 210,000 test rows"),  # "about" has two digits
        (Needs(None, None), 0.02, ""),
        (Needs(50, 1), 0.2, ""),  # as large as what would have been detected
        (Needs(50, 1), 0.0, ""),
        (None, 0.02, ""),
    ],
)
def test_what_would_detect_the_observed_difference(needs: Needs | None, difference: float, expected: str) -> None:
    row = MetricRow("test.mcc", 0.5, 0.5 + difference, -0.1, 0.1, 1.0, "within noise", 0.1, needs=needs)
    could = " A true difference of 0.100 or more would have been detected 8 times out of 10"
    assert wording.detectable_sentence(row) == could + expected


@pytest.mark.parametrize(
    ("needs", "difference", "expected"),
    [
        (Needs(1234, 5), 0.02, ". Detecting 0.020 would take about 1,200 test rows or 5 seeds per side"),
        (Needs(50, 1), 0.0, ""),
        (None, 0.02, ""),
    ],
)
def test_a_comparison_that_detects_no_possible_gain_says_so(
    needs: Needs | None, difference: float, expected: str
) -> None:
    row = MetricRow("test.mcc", 0.5, 0.5 + difference, -1, 1, 1.0, "within noise", None, needs=needs)
    could = " With so few rows or seeds, no gain that base leaves possible would have been detected 8 times out of 10"
    assert wording.detectable_sentence(row) == could + expected


@pytest.mark.parametrize(
    ("confidence", "shown"), [(0.95, "95%"), (0.9781, "97.8%"), (0.99996, "99.996%"), (0.5, "50%"), (0.9, "90%")]
)
def test_a_confidence_is_never_shown_as_certainty(confidence: float, shown: str) -> None:
    assert wording.percent(confidence) == shown


def test_an_interval_of_rows_that_are_not_paired_says_so() -> None:
    row = MetricRow("test.mcc", 0.5, 0.5, -0.1, 0.2, paired=False)
    assert wording.interval(row) == "-0.100 to +0.200 (rows not paired)"


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        (((1,), (2,)), "base and head are each the model of one seed"),
        (
            ((1, 2), (1, 2)),
            "base and head are each the mean over 2 seeds; the models that ship (seed 1 -> 3), each on its own "
            "rows and labels: test.a",
        ),
        (((1,), (1, 2, 3)), "base is the model of one seed, head the mean over 3 seeds; the models that ship"),
        (((), ()), ""),
    ],
)
def test_the_numbers_of_both_sides_are_labelled(seeds: tuple[tuple[int, ...], ...], expected: str) -> None:
    changed = dataclasses.replace(comparison("x"), seeds=seeds, ships={"test.a": (0.5, 0.6)})  # type: ignore[arg-type]
    sentence = wording.sides_sentence(changed)
    assert sentence.startswith(expected)
    assert bool(sentence) == bool(expected)


def test_champions_of_the_same_seed_are_named_once() -> None:
    changed = dataclasses.replace(comparison("x"), seeds=((1, 2), (1, 2)), champions=(2, 2), ships={"test.a": (0, 1)})  # type: ignore[arg-type]
    assert (
        "the models that ship (both seed 2), each on its own rows and labels: test.a 0.000 -> 1.000"
        in wording.sides_sentence(changed)
    )


@pytest.mark.parametrize(("fixed", "rows"), [(0, "0 rows fixed"), (1, "1 row fixed"), (1200, "1,200 rows fixed")])
def test_flipped_rows_are_counted(fixed: int, rows: str) -> None:
    flips = comparison("x").flips
    assert flips is not None
    title = wording.flips_title(dataclasses.replace(flips, fixed=fixed, broken=4, wrong=5))
    assert title == f"Predictions: {rows}, 4 broken, 5 wrong in both"


def test_every_other_metric_that_differs_is_listed() -> None:
    plain = comparison("x")
    rows = [dataclasses.replace(plain.metrics[0], name=f"test.{name}") for name in ("mcc", "accuracy", "macro_f1")]
    sentence = wording.verdict_sentence(dataclasses.replace(plain, verdict="worse", metrics=rows))
    assert sentence.endswith("; also test.accuracy -0.100, test.macro_f1 -0.100")


def test_models_are_named_by_both_short_hashes() -> None:
    models = {"champion": ("a" * 32, "b" * 32), "seed 1": (None, "c" * 32), "seed 2": ("d" * 32, None)}
    assert wording.model_changes(models) == [
        "champion: aaaaaaaa -> bbbbbbbb",
        "seed 1: none -> cccccccc",
        "seed 2: dddddddd -> none",
    ]


def test_the_title_of_the_changes_counts_each_kind() -> None:
    changes = Changes(
        params={"a": (1, 2), "b": (1, 2)},
        code={"split": ["x.py"], "report": ["y.py"]},
        data=DataChange(True, (1, 2000), added={"ham": 1200, "spam": 34}, relabelled={"ham -> spam": 1}),
        models={"encoder": ("1", "2"), "champion": ("3", "4")},
    )
    expected = "2 parameters, code of split, report, 1,234 rows added, 1 row relabelled, the encoder"
    assert wording.changes_title(changes) == expected
    assert wording.changes_title(Changes({}, {}, SAME, {})) == "nothing"
    assert wording.changes_title(Changes({}, {}, SAME, {"champion": ("1", "2")})) == "only the models"
    assert wording.changes_title(Changes({}, {}, DataChange(False, (None, None)), {})) == "rows unknown"


def test_numbers_as_people_read_them() -> None:
    assert [wording.seconds(value) for value in (None, 0.04, 9.94, 10.0, 1234.5)] == [
        *("?", "0.0 s", "9.9 s", "10 s", "1,234 s")
    ]
    assert [wording.megabytes(value) for value in (None, 9.94, 10.0, 2048.0)] == ["?", "9.9 MB", "10 MB", "2,048 MB"]
    assert shorten("a  b\nc", 5) == "a b c"
    assert shorten("abcdef", 5) == "abcd…"
    assert wording.at_most([1, 2, 3], 2) == ([1, 2], 1)
    assert wording.at_most([1, 2], 2) == ([1, 2], 0)
    assert (wording.and_more(0), wording.and_more(3)) == ("", " and 3 more")
