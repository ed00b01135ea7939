"""Shows a run as it goes on: a live table in a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.execution.stage_process import Outcome
from pipeline.local.listener import Listener
from pipeline.planning.plan import StagePlan
from pipeline.planning.table import STYLES, format_duration


class PlainLines(Listener):
    """Prints a line when a stage starts and when it ends, and every line that it writes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def on_stage_start(self, plan: StagePlan) -> None:
        expected = f" (about {format_duration(plan.seconds)})" if plan.seconds else ""
        self._print(f"{plan.stage}: {'restoring' if plan.state == 'restored' else 'running'}{expected}")

    def on_stage_output(self, stage: str, line: str) -> None:
        self._print(f"{stage} | {line}")

    def on_stage_end(self, outcome: Outcome) -> None:
        end = "failed" if outcome.error else "restored" if outcome.restored else "done"
        why = f": {outcome.error}" if outcome.error else ""
        self._print(f"{outcome.stage}: {end} in {outcome.seconds:.1f} s{why}")

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


class LiveTable(Listener):
    """Redraws a table with a row per stage while the block lasts; a context manager."""

    def __init__(self, console: Console) -> None:
        self._plans: Sequence[StagePlan] = ()
        self._first_plans: dict[str, StagePlan] = {}
        self._started: dict[str, float] = {}
        self._last_lines: dict[str, str] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._live = Live(console=console, get_renderable=self.render, refresh_per_second=4)

    def __enter__(self) -> "LiveTable":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def on_plan(self, plans: Sequence[StagePlan]) -> None:
        self._plans = list(plans)
        for plan in plans:
            self._first_plans.setdefault(plan.stage, plan)

    def on_stage_start(self, plan: StagePlan) -> None:
        self._started[plan.stage] = time.monotonic()

    def on_stage_output(self, stage: str, line: str) -> None:
        self._last_lines[stage] = line.strip()

    def on_stage_end(self, outcome: Outcome) -> None:
        self._outcomes[outcome.stage] = outcome

    def render(self) -> Table:
        """The table at this moment: stage, state, elapsed time, expected time, last line."""
        table = Table(box=None, pad_edge=False)
        table.add_column("stage", no_wrap=True)
        # Fixed widths: otherwise the columns would move when a state or a duration gets longer.
        table.add_column("state", no_wrap=True, min_width=len("restoring"))
        for heading in ("elapsed", "expected"):
            table.add_column(heading, no_wrap=True, justify="right", min_width=len("12 min 30 s"))
        table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
        for plan in self._plans:
            state, elapsed, note = self._status(plan)
            seconds = self._first_plans[plan.stage].seconds
            expected = format_duration(seconds) if seconds else ""
            table.add_row(plan.stage, Text(state, STYLES.get(state, "green")), elapsed, expected, Text(note))
        return table

    def _status(self, plan: StagePlan) -> tuple[str, str, str]:
        """State, elapsed time and last line of a stage."""
        outcome, started = self._outcomes.get(plan.stage), self._started.get(plan.stage)
        if outcome:
            state = "failed" if outcome.error else "restored" if outcome.restored else "done"
            return state, format_duration(outcome.seconds), outcome.error or ""
        if started is not None:
            state = "restoring" if self._first_plans[plan.stage].state == "restored" else "running"
            return state, format_duration(time.monotonic() - started), self._last_lines.get(plan.stage, "")
        return plan.state, "", ""
