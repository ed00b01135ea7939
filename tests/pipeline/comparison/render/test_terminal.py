"""The comparison in a terminal."""

import dataclasses

import pytest
from rich.console import Console

from pipeline.comparison.flips import FlippedRow
from pipeline.comparison.metric_row import MetricRow
from pipeline.comparison.render import terminal, wording
from pipeline.comparison.result import Comparison
from tests.pipeline.comparison.builders import comparison


def printed(value: Comparison, *, width: int = 80) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(terminal.render(value))
    return captured.get()


@pytest.mark.parametrize("width", [20, 40, 69, 70, 75, 79])
def test_no_figure_is_lost_in_a_narrow_terminal(width: int) -> None:
    text = " ".join(printed(comparison("plain"), width=width).split())
    for part in ("test.mcc", "0.600", "0.610", "+0.010", "-0.040 to +0.060", "within noise"):
        assert part in text


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_reads_no_markup_in_data_and_draws_intervals_where_there_is_room(width: int) -> None:
    text = printed(comparison("[red]x[/nothing]"), width=width)
    assert "[red]x[/nothing]" in text
    assert ("├" in text) == (width == 120)


def test_every_part_of_a_comparison_is_shown_in_80_columns() -> None:
    text = printed(comparison("plain"))
    one_line = " ".join(text.split())
    for words in (
        "plain -> plain, 500 test rows",
        "detectable",
        "note: plain",
        "FAILED: plain (plain)",
        "predictions: 3 rows fixed, 4 broken, 5 wrong in both",
        "class plain 0: 3 fixed, 4 broken of 10 rows",
        "slice plain 0: 3 fixed, 4 broken of 10 rows",
        "base is the mean over 2 seeds, head the mean over 3 seeds; the models that ship (seed 1 -> 3), "
        "each on its own rows and labels: test.macro_f1 0.810 -> 0.720",
        "fixed plain 0 (label plain; plain -> plain, +0.50)",
        "broken plain 0 (label plain; plain -> plain, +0.50)",
        "calibration: log loss: 0.1000 -> 0.2000 (lower is better)",
        "cost: all stages 1.0 s -> 0.0 s, peak memory 100 MB -> 200 MB, model 90 MB -> 80 MB",
        "rows added: plain 0 1",
    ):
        assert words in one_line, words
    assert "test.mcc 0.600 0.610 +0.010 -0.040 to +0.060 within noise 0.070" in one_line
    assert "…" not in text.partition("note:")[0]


def test_a_rule_that_is_met_is_shown_as_passed() -> None:
    (result,) = comparison("plain").gate
    text = printed(dataclasses.replace(comparison("plain"), gate=[dataclasses.replace(result, passed=True)]))
    assert "passed: plain (plain)" in text


def test_long_lists_are_cut_short_and_say_so() -> None:
    text = printed(comparison("plain", many=20), width=120)
    assert "and 14 more parameters" in text
    assert "finetune: plain 0, plain 1, plain 2 and 17 more" in text


def test_the_numbers_of_long_metrics_are_whole_in_80_columns() -> None:
    names = ("test.mean_absolute_error", "test.root_mean_squared_error")
    rows = [MetricRow(name, 25.274, 19.433, -10.864, -0.009, 0.02, "within noise", 12.865) for name in names]
    table = printed(dataclasses.replace(comparison("plain"), metrics=rows)).partition("note:")[0]
    assert "…" not in table
    for number in ("25.274", "19.433", "-5.841", "-10.864 to -0.009", "within noise", "12.865"):
        assert table.count(number) >= 2, number


@pytest.mark.parametrize(("gain", "shown"), [(35.123, "+35.12"), (-0.52, "-0.52"), (0.00123, "+0.0012"), (0.0, "+0")])
def test_a_gain_has_two_digits_in_any_unit(gain: float, shown: str) -> None:
    assert wording.gain(FlippedRow("a", "1", "2", "3", gain)) == shown
