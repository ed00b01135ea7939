"""Shows a plan: a table with a row per stage, and one line that says how long it will take."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from pipeline.planning.plan import StagePlan, expected_seconds

STYLES = {"fresh": "dim", "restored": "cyan", "runs": "yellow", "pending": "dim yellow", "failed": "bold red"}
SHOWN_REASONS = 3  # of one stage; `--json` has all of them


def plan_table(plans: Sequence[StagePlan]) -> Table:
    """A row per stage: its state, the seconds that its last run took, and why it is in that state."""
    table = Table(box=None, pad_edge=False)
    table.add_column("stage", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("expected", justify="right", no_wrap=True)
    table.add_column("why")
    waits_for = {plan.stage: set(plan.waits_for) for plan in plans}
    for plan in plans:
        why = _shortened(list(plan.reasons))
        indirect = {name for parent in plan.waits_for for name in waits_for.get(parent, ())}
        direct = [name for name in plan.waits_for if name not in indirect]
        if direct:
            why.append(f"after {_joined(direct)}")
        if plan.where == "remote":
            why.append("from the remote")
        seconds = "?" if plan.seconds is None else format_duration(plan.seconds) if plan.seconds else ""
        table.add_row(plan.stage, f"[{STYLES[plan.state]}]{plan.state}[/]", seconds, escape("; ".join(why)))
    return table


def summary(plans: Sequence[StagePlan]) -> str:
    """One line: the time that the stages that will run are expected to take."""
    to_run = [plan for plan in plans if plan.state in ("runs", "pending")]
    restored = [plan for plan in plans if plan.state == "restored"]
    if not to_run:
        return "Nothing has to run: the cache has the results." if restored else "Everything is up to date."
    unknown = [plan for plan in to_run if plan.seconds is None]
    if len(unknown) == len(to_run):
        return "Expected time: unknown, because none of these stages has run here before."
    at_most = "at most " if any(plan.state == "pending" for plan in to_run) else ""
    plus = f", plus {_joined([plan.stage for plan in unknown])} (no earlier run)" if unknown else ""
    return f"Expected time: {at_most}{format_duration(expected_seconds(to_run))}{plus}."


def format_duration(seconds: float) -> str:
    """`47 s`, `12 min 30 s`, `3 h 5 min`."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _shortened(reasons: list[str]) -> list[str]:
    if len(reasons) <= SHOWN_REASONS + 1:  # "and 1 more" would take as much room as the reason
        return reasons
    return [*reasons[:SHOWN_REASONS], f"and {len(reasons) - SHOWN_REASONS} more"]


def _joined(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
