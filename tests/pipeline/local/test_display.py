"""What a person sees of a run."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.execution.stage_process import Outcome
from pipeline.local.display import Board, Lines, plan_table, summary
from pipeline.planning.plan import StagePlan

PLANS = [
    StagePlan("tokenize", "fresh"),
    StagePlan("split", "restored", ("split.seed 1 -> 2",), where="cache"),
    StagePlan("finetune@42", "runs", ("finetune.learning_rate 1 -> 2",), seconds=40.0),
    StagePlan("report", "pending", waits_for=("finetune@42",), seconds=3.0),
]
MANY = tuple(f"report.key{number} 1 -> 2" for number in range(5))
DONE = Outcome("split", 1.4, Path("x.log"), restored=True)
FAILED = Outcome("finetune@42", 12.0, Path("x.log"), error="loss is nan [epoch 2]")


def test_the_table_while_stages_run() -> None:
    console = Console(file=io.StringIO(), width=100)
    board = Board(console)
    board.planned(PLANS)
    board.started(PLANS[1])
    board.ended(DONE)
    board.started(PLANS[2])
    board.said("finetune@42", "epoch 2/4: val_loss 0.61 [best]")
    console.print(board.render())
    rows = [line.split() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert rows[1] == ["tokenize", "fresh"]
    assert rows[2] == ["split", "restored", "1", "s"]
    assert rows[3][:2] == ["finetune@42", "running"]
    assert rows[3][4:] == ["40", "s", "epoch", "2/4:", "val_loss", "0.61", "[best]"]
    assert rows[4] == ["report", "pending", "3", "s"]


def test_the_table_shows_a_failure_and_draws_itself() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with Board(console) as board:
        board.planned(PLANS)
        board.started(PLANS[2])
        board.ended(FAILED)
    assert "loss is nan [epoch 2]" in console.file.getvalue()  # type: ignore[attr-defined]


def test_plain_lines_elsewhere() -> None:
    console = Console(file=io.StringIO(), width=20)
    lines = Lines(console)
    lines.started(PLANS[1])
    lines.started(PLANS[2])
    lines.said("finetune@42", "epoch 2/4: val_loss 0.61 [best]")
    lines.ended(FAILED)
    lines.ended(DONE)
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "split: restoring",
        "finetune@42: running (about 40 s)",
        "finetune@42 | epoch 2/4: val_loss 0.61 [best]",
        "finetune@42: failed: loss is nan [epoch 2] in 12.0 s",
        "split: restored in 1.4 s",
    ]


def shown(plans: list[StagePlan]) -> list[list[str]]:
    """The rows of the table, cells split at two spaces."""
    console = Console(file=io.StringIO(), width=200)
    console.print(plan_table(plans))
    return [re.split(r"\s{2,}", line.strip()) for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_a_plan_in_a_table() -> None:
    assert shown(PLANS) == [
        ["stage", "state", "expected", "why"],
        ["tokenize", "fresh"],
        ["split", "restored", "split.seed 1 -> 2"],
        ["finetune@42", "runs", "40 s", "finetune.learning_rate 1 -> 2"],
        ["report", "pending", "3 s", "after finetune@42"],
    ]


def test_many_reasons_are_counted_and_json_has_them_all() -> None:
    plan = StagePlan("report", "runs", MANY, seconds=3.0)
    assert shown([plan])[1][3] == "report.key0 1 -> 2; report.key1 1 -> 2; report.key2 1 -> 2; and 2 more"
    assert plan.as_json()["reasons"] == list(MANY)
    four = StagePlan("report", "runs", MANY[:4], seconds=3.0)
    assert shown([four])[1][3] == "; ".join(MANY[:4])  # "and 1 more" would be no shorter


def test_a_stage_waits_for_the_nearest_of_those_that_it_waits_for() -> None:
    late = [*PLANS[:3], StagePlan("evaluate@42", "pending", waits_for=("finetune@42",))]
    last = StagePlan("report", "pending", ("report.title a -> [b]",), waits_for=("finetune@42", "evaluate@42"))
    assert shown([*late, last])[-1][-1] == "report.title a -> [b]; after evaluate@42"


def test_what_comes_from_the_remote_is_said() -> None:
    assert shown([StagePlan("split", "restored", ("output x missing",), where="remote")])[1] == [
        "split",
        "restored",
        "output x missing; from the remote",
    ]


@pytest.mark.parametrize(
    ("plans", "line"),
    [
        (PLANS[:1], "All is up to date."),
        (PLANS[:2], "Nothing has to run: the cache has the results."),
        (PLANS[:3], "Expected: 40 s."),
        (PLANS, "Expected: at most 43 s."),
        (
            [*PLANS, StagePlan("a", "runs", seconds=None), StagePlan("b", "runs", seconds=3000.0)],
            "Expected: at most 50 min 43 s, and what a takes (no earlier run).",
        ),
        ([StagePlan("a", "runs", seconds=None)], "Expected: not known yet, none of these has run here before."),
        ([StagePlan("a", "runs", seconds=11000.0)], "Expected: 3 h 3 min."),
    ],
)
def test_a_plan_in_a_line(plans: list[StagePlan], line: str) -> None:
    assert summary(plans) == line
