"""The comparison in a terminal."""

import dataclasses
import re
from collections.abc import Sequence

import pytest
from rich.console import Console

from pipeline.comparison.flips import FlippedRow
from pipeline.comparison.metric_row import MetricRow
from pipeline.comparison.render import terminal, wording
from pipeline.comparison.result import Comparison
from stages.metrics.names import CAN_LEAD, HEADLINE, OF_NUMBERS, OF_ORDERED, OF_SETS
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
        "calibration: log loss: 0.100 -> 0.200 (lower is better)",
        "cost: all stages 1.0 s -> ?, peak memory 100 MB -> 200 MB, model 90 MB -> 80 MB",
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


KINDS = {
    "classes": HEADLINE,
    "ordered": (*OF_ORDERED, *HEADLINE),
    "number": OF_NUMBERS,
    "label_set": OF_SETS,
    "all": sorted(CAN_LEAD),
    "a long name": ("mean_absolute_error_of_each_group",),
}


def metrics_at(width: int, names: Sequence[str]) -> str:
    rows = [MetricRow(f"test.{name}", 25.274, 19.433, -10.864, -0.009, 0.02, "within noise", 12.865) for name in names]
    return printed(dataclasses.replace(comparison("plain"), metrics=rows), width=width).partition("note:")[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", range(40, 121, 4))
def test_neither_a_metric_s_name_nor_a_number_is_broken_at_any_width(width: int, kind: str) -> None:
    text = metrics_at(width, KINDS[kind])
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    words = re.split(r"[\s,:]+", text.partition("\n\n")[2])
    for name in KINDS[kind]:
        assert words.count(f"test.{name}") == 1, name
    for number in ("25.274", "19.433", "-5.841", "-10.864", "-0.009", "12.865"):
        assert words.count(number) == len(KINDS[kind]), number


def test_metrics_are_a_table_where_it_fits_and_sentences_elsewhere() -> None:
    headings = r"^metric +base +head +change +95% interval +verdict +detectable"
    assert re.search(headings, printed(comparison("plain")), re.MULTILINE)
    assert "├" in metrics_at(120, KINDS["number"])
    assert "├" not in metrics_at(96, KINDS["number"])
    assert "12.865" in metrics_at(96, KINDS["number"])
    sentence = (
        "test.subset_accuracy 25.274 -> 19.433, -5.841, 95% interval -10.864 to -0.009: within noise, min. detectable"
    )
    assert sentence in " ".join(metrics_at(79, ["subset_accuracy"]).split())


@pytest.mark.parametrize(("gain", "shown"), [(35.123, "+35.12"), (-0.52, "-0.52"), (0.00123, "+0.0012"), (0.0, "+0")])
def test_a_gain_has_two_digits_in_any_unit(gain: float, shown: str) -> None:
    assert wording.gain(FlippedRow("a", "1", "2", "3", gain)) == shown
