"""Shows a run: a live table in a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from pipeline.execution.listener import Listener
from pipeline.execution.stage_process import Outcome
from pipeline.planning.plan import StagePlan
from pipeline.planning.table import STYLES, format_duration


class Screen(Listener):
    """Remembers how the run ended, whether or not Prefect's API was there to hear it."""

    conclusion: Any = None

    def concluded(self, state: Any) -> None:
        self.conclusion = state


class Lines(Screen):
    """A line when a stage begins and ends, and each line that it writes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def started(self, plan: StagePlan) -> None:
        expected = f" (about {format_duration(plan.seconds)})" if plan.seconds else ""
        self._print(f"{plan.stage}: {'restoring' if plan.state == 'restored' else 'running'}{expected}")

    def said(self, stage: str, line: str) -> None:
        self._print(f"{stage} | {line}")

    def ended(self, outcome: Outcome) -> None:
        what = f"failed: {outcome.error}" if outcome.error else "restored" if outcome.restored else "done"
        self._print(f"{outcome.stage}: {what} in {outcome.seconds:.1f} s")

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


class Board(Screen):
    """A table that is drawn anew while the stages run; use it as a context manager."""

    def __init__(self, console: Console) -> None:
        self._plans: Sequence[StagePlan] = ()
        self._first: dict[str, StagePlan] = {}
        self._began: dict[str, float] = {}
        self._said: dict[str, str] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._live = Live(console=console, get_renderable=self.render, refresh_per_second=4)

    def __enter__(self) -> "Board":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def planned(self, plans: Sequence[StagePlan]) -> None:
        self._plans = list(plans)
        for plan in plans:
            self._first.setdefault(plan.stage, plan)

    def started(self, plan: StagePlan) -> None:
        self._began[plan.stage] = time.monotonic()

    def said(self, stage: str, line: str) -> None:
        self._said[stage] = line.strip()

    def ended(self, outcome: Outcome) -> None:
        self._outcomes[outcome.stage] = outcome

    def render(self) -> Table:
        """The table as it is now: stage, state, elapsed, expected, last line."""
        table = Table(box=None, pad_edge=False)
        table.add_column("stage", no_wrap=True)
        table.add_column("state", no_wrap=True, min_width=len("restoring"))  # nothing jumps when a state changes
        for heading in ("elapsed", "expected"):
            table.add_column(heading, no_wrap=True, justify="right", min_width=len("12 min 30 s"))
        table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
        for plan in self._plans:
            state, elapsed, note = self._status(plan)
            expected = self._first[plan.stage].seconds
            shown = format_duration(expected) if expected else ""
            table.add_row(plan.stage, f"[{STYLES.get(state, 'green')}]{state}[/]", elapsed, shown, escape(note))
        return table

    def _status(self, plan: StagePlan) -> tuple[str, str, str]:
        outcome, began = self._outcomes.get(plan.stage), self._began.get(plan.stage)
        if outcome:
            state = "failed" if outcome.error else "restored" if outcome.restored else "done"
            return state, format_duration(outcome.seconds), outcome.error or ""
        if began is not None:
            verb = "restoring" if self._first[plan.stage].state == "restored" else "running"
            return verb, format_duration(time.monotonic() - began), self._said.get(plan.stage, "")
        return plan.state, "", ""
