"""The live table and the plain lines of a run."""

import io
from pathlib import Path

from rich.console import Console

from pipeline.execution.stage_process import Outcome
from pipeline.local.display import LiveTable, PlainLines
from tests.pipeline.local.plans import PLANS

DONE = Outcome("split", 1.4, Path("x.log"), restored=True)
FAILED = Outcome("finetune@42", 12.0, Path("x.log"), error="loss is nan [epoch 2]")


def test_the_table_while_stages_run() -> None:
    console = Console(file=io.StringIO(), width=100)
    table = LiveTable(console)
    table.on_plan(PLANS)
    table.on_stage_start(PLANS[1])
    table.on_stage_end(DONE)
    table.on_stage_start(PLANS[2])
    table.on_stage_output("finetune@42", "epoch 2/4: val_loss 0.61 [best]")
    console.print(table.render())
    rows = [line.split() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert rows[1] == ["tokenize", "fresh"]
    assert rows[2] == ["split", "restored", "1", "s"]
    assert rows[3][:2] == ["finetune@42", "running"]
    assert rows[3][4:] == ["40", "s", "epoch", "2/4:", "val_loss", "0.61", "[best]"]
    assert rows[4] == ["report", "pending", "3", "s"]


def test_the_table_shows_a_failure_and_draws_itself() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with LiveTable(console) as table:
        table.on_plan(PLANS)
        table.on_stage_start(PLANS[2])
        table.on_stage_end(FAILED)
    assert "loss is nan [epoch 2]" in console.file.getvalue()  # type: ignore[attr-defined]


def test_plain_lines_elsewhere() -> None:
    console = Console(file=io.StringIO(), width=20)
    display = PlainLines(console)
    display.on_stage_start(PLANS[1])
    display.on_stage_start(PLANS[2])
    display.on_stage_output("finetune@42", "epoch 2/4: val_loss 0.61 [best]")
    display.on_stage_end(FAILED)
    display.on_stage_end(DONE)
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "split: restoring",
        "finetune@42: running (about 40 s)",
        "finetune@42 | epoch 2/4: val_loss 0.61 [best]",
        "finetune@42: failed in 12.0 s: loss is nan [epoch 2]",
        "split: restored in 1.4 s",
    ]
