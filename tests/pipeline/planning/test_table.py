"""A plan as a table and as a line."""

import io
import re

import pytest
from rich.console import Console

from pipeline.planning.plan import StagePlan
from pipeline.planning.table import plan_table, summary

PLANS = [
    StagePlan("tokenize", "fresh"),
    StagePlan("split", "restored", ("split.seed 1 -> 2",), where="cache"),
    StagePlan("finetune@42", "runs", ("finetune.learning_rate 1 -> 2",), seconds=40.0),
    StagePlan("report", "pending", waits_for=("finetune@42",), seconds=3.0),
]
MANY = tuple(f"report.key{number} 1 -> 2" for number in range(5))


def rows(plans: list[StagePlan]) -> list[list[str]]:
    """The rows of the table, cells split at two spaces."""
    console = Console(file=io.StringIO(), width=200)
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
        (PLANS[:3], "Expected: 40 s."),
        (PLANS, "Expected: at most 43 s."),
        (
            [*PLANS, StagePlan("a", "runs", seconds=None), StagePlan("b", "runs", seconds=3000.0)],
            "Expected: at most 50 min 43 s, plus a (never run here).",
        ),
        ([StagePlan("a", "runs", seconds=None)], "Expected: unknown, none of these stages has run here before."),
        ([StagePlan("a", "runs", seconds=11000.0)], "Expected: 3 h 3 min."),
    ],
)
def test_a_plan_in_a_line(plans: list[StagePlan], line: str) -> None:
    assert summary(plans) == line
