"""Sentences about a comparison, and small plots."""

import dataclasses

from pipeline.comparison.changes import Changes, DataChange
from pipeline.comparison.render import wording
from pipeline.comparison.render.strips import BAR, STRIP, bar, interval_strips, strip
from pipeline.comparison.verdicts import MetricRow
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
    noise = [dataclasses.replace(row, verdict="within noise") for row in plain.metrics]
    better = [dataclasses.replace(row, verdict="better") for row in plain.metrics]
    for verdict, rows, expected in (
        ("identical", plain.metrics, "identical: the same predictions for all 500 test rows"),
        ("worse", plain.metrics, "worse: test.macro_f1 0.800 -> 0.700, -0.100, 95% interval -0.140 to -0.060"),
        (
            "better",
            better,
            "better: test.macro_f1 0.800 -> 0.700, -0.100, 95% interval -0.140 to -0.060; also test.mcc +0.010",
        ),
        (
            "within noise",
            noise,
            "within noise: no headline metric differs by more than chance (test.macro_f1 0.800 -> 0.700, -0.100, "
            "95% interval -0.140 to -0.060; this test set does not reliably detect a difference below 0.050)",
        ),
        ("unknown", [], "unknown: the two sides have no headline metric of test in common"),
    ):
        changed = dataclasses.replace(plain, verdict=verdict, metrics=rows)  # type: ignore[arg-type]
        assert wording.verdict_sentence(changed) == expected


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


def test_noise_without_a_known_bound_names_none() -> None:
    row = MetricRow("test.mcc", 0.5, 0.5, None, None, 1.0, "within noise")
    plain = dataclasses.replace(comparison("x"), verdict="within noise", metrics=[row])
    assert wording.verdict_sentence(plain).endswith("(test.mcc 0.500 -> 0.500, +0.000)")


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
