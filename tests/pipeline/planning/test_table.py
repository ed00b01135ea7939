"""A plan as a table and as a line."""

import io
import re

import pytest
from rich.console import Console
from rich.text import Text

from pipeline.planning.plan import StagePlan, State
from pipeline.planning.table import STYLES, format_duration, plan_table, summary

PLANS = [
    StagePlan("tokenize", "fresh"),
    StagePlan("split", "restored", ("split.seed 1 -> 2",), where="cache"),
    StagePlan("finetune@42", "runs", ("finetune.learning_rate 1 -> 2",), seconds=40.0),
    StagePlan("report", "pending", waits_for=("finetune@42",), seconds=3.0),
]
IN_REMOTE = [StagePlan("report", "restored", ("output x missing",), where="remote")]
LESS = ", less if the inputs of a pending stage turn out unchanged"
MANY = tuple(f"report.key{number} 1 -> 2" for number in range(5))


def rows(plans: list[StagePlan], width: int = 200) -> list[list[str]]:
    """The rows of the table, cells split at two spaces."""
    console = Console(file=io.StringIO(), width=width)
    console.print(plan_table(plans))
    return [re.split(r"\s{2,}", line.strip()) for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_a_plan_in_a_table() -> None:
    assert rows(PLANS) == [
        ["stage", "state", "expected", "why"],
        ["tokenize", "fresh"],
        ["split", "restored", "split.seed 1 -> 2"],
        ["finetune@42", "runs", "40 s", "finetune.learning_rate 1 -> 2"],
        ["report", "pending", "3 s", "after finetune@42"],
    ]


def test_many_reasons_are_counted_and_json_has_them_all() -> None:
    plan = StagePlan("report", "runs", MANY, seconds=3.0)
    assert rows([plan])[1][3] == "report.key0 1 -> 2; report.key1 1 -> 2; report.key2 1 -> 2; and 2 more"
    assert plan.as_json()["reasons"] == list(MANY)
    four = StagePlan("report", "runs", MANY[:4], seconds=3.0)
    assert rows([four])[1][3] == "; ".join(MANY[:4])  # "and 1 more" would be no shorter


def test_a_stage_waits_for_the_nearest_of_those_that_it_waits_for() -> None:
    late = [*PLANS[:3], StagePlan("evaluate@42", "pending", waits_for=("finetune@42",))]
    last = StagePlan("report", "pending", ("report.title a -> [b]",), waits_for=("finetune@42", "evaluate@42"))
    assert rows([*late, last])[-1][-1] == "report.title a -> [b]; after evaluate@42"


def test_a_stage_that_waits_for_several_names_them_all() -> None:
    plan = StagePlan("report", "pending", waits_for=("train@1", "train@2", "train@3"))
    assert rows([plan])[1] == ["report", "pending", "after train@1, train@2 and train@3"]


def test_an_unknown_time_is_marked_and_times_end_at_the_same_column() -> None:
    table = plan_table([StagePlan("a", "runs", seconds=None), StagePlan("b", "runs", seconds=750.0)])
    assert list(table.columns[2].cells) == ["?", "12 min 30 s"]
    assert table.columns[2].justify == "right"


def test_in_a_narrow_terminal_only_the_reasons_wrap() -> None:
    plan = StagePlan("finetune@42", "restored", ("split.seed 1 -> 2",), seconds=750.0)
    assert rows([plan], width=46)[1] == ["finetune@42", "restored", "12 min 30 s", "split.seed"]


@pytest.mark.parametrize("state", ["fresh", "restored", "runs", "pending"])
def test_each_state_has_its_own_style(state: State) -> None:
    (cell,) = plan_table([StagePlan("a", state)]).columns[1].cells
    assert cell == Text(state, STYLES[state])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (47.0, "47 s"),
        (99.4, "99 s"),
        (99.6, "1 min 40 s"),
        (750.0, "12 min 30 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 0 min"),
        (11159.0, "3 h 5 min"),
        (14340.0, "3 h 59 min"),
        (100800.0, "28 h 0 min"),
    ],
)
def test_a_duration_is_shown_with_two_units_at_most(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_what_comes_from_the_remote_is_said() -> None:
    assert rows([StagePlan("split", "restored", ("output x missing",), where="remote")])[1] == [
        "split",
        "restored",
        "output x missing; from the remote",
    ]


@pytest.mark.parametrize(
    ("plans", "line"),
    [
        (PLANS[:1], "Everything is up to date."),
        (PLANS[:2], "Nothing has to run: the cache has the results."),
        (PLANS[:1] + IN_REMOTE, "Nothing has to run: the remote has the results."),
        (PLANS[:2] + IN_REMOTE, "Nothing has to run: the cache and the remote have the results."),
        (PLANS[:3], "Expected: 40 s."),
        (PLANS, f"Expected: 43 s{LESS}."),
        (
            [*PLANS, StagePlan("a", "runs", seconds=None), StagePlan("b", "runs", seconds=3000.0)],
            f"Expected: 50 min 43 s, plus a (never run here, or the encoder is not downloaded yet){LESS}.",
        ),
        ([StagePlan("a", "runs", seconds=None)], "Expected: unknown, none of these stages has run here before."),
        (
            [StagePlan(name, "runs", seconds=None) for name in "abc"] + [StagePlan("d", "pending", seconds=5.0)],
            f"Expected: 5 s, plus a, b and c (never run here, or the encoder is not downloaded yet){LESS}.",
        ),
        ([*PLANS[:2], StagePlan("a", "pending", seconds=5.0)], f"Expected: 5 s{LESS}."),
        ([StagePlan("a", "runs", seconds=9.0, range=(5.0, 20.0))] * 2, "Expected: 18 s (10 s to 40 s)."),
        ([StagePlan("a", "runs", seconds=11000.0)], "Expected: 3 h 3 min."),
    ],
)
def test_a_plan_in_a_line(plans: list[StagePlan], line: str) -> None:
    assert summary(plans) == line
