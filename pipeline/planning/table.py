"""Shows a plan: a table with a line per stage, and a summary in one line."""

from collections.abc import Collection, Sequence

from rich.table import Table
from rich.text import Text

from pipeline.planning.plan import StagePlan, expected_seconds
from pipeline.repository.snapshot import Where

STYLES = {"fresh": "dim", "restored": "cyan", "runs": "yellow", "pending": "dim yellow", "failed": "bold red"}
SHOWN_REASONS = 3  # per stage; `--json` has them all


def plan_table(plans: Sequence[StagePlan]) -> Table:
    """A table with a row per stage: its state, its expected time, and why it is not fresh."""
    table = Table(box=None, pad_edge=False)
    table.add_column("stage", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("expected", justify="right", no_wrap=True)
    table.add_column("why")
    waits_for = {plan.stage: set(plan.waits_for) for plan in plans}
    for plan in plans:
        why = [*_shorten(list(plan.reasons)), *_shorten(list(plan.notes))]
        above = {name for parent in plan.waits_for for name in waits_for.get(parent, ())}
        nearest = [name for name in plan.waits_for if name not in above]  # their own rows name the others
        if nearest:
            why.append(f"after {_enumerate(nearest)}")
        if plan.where == "remote":
            why.append("from the remote")
        seconds = "?" if plan.seconds is None else format_duration(plan.seconds) if plan.seconds else ""
        table.add_row(plan.stage, Text(plan.state, STYLES[plan.state]), seconds, Text("; ".join(why)))
    return table


def summary(plans: Sequence[StagePlan]) -> str:
    """What will run, and for how long, in one line."""
    todo = [plan for plan in plans if plan.state in ("runs", "pending")]
    if not todo:
        return _nothing_to_run({plan.where for plan in plans if plan.state == "restored"})
    unknown = [plan for plan in todo if plan.seconds is None]
    if len(unknown) == len(todo):
        return "Expected: unknown, none of these stages has run here before."
    known = [plan.range for plan in todo if plan.range]
    low, high = (format_duration(sum(side)) for side in zip(*known, strict=True)) if known else ("", "")
    between = f" ({low} to {high})" if low != high else ""
    less = ", less if the inputs of a pending stage turn out unchanged" if "pending" in {p.state for p in todo} else ""
    names = _enumerate([plan.stage for plan in unknown]) if unknown else ""
    more = f", plus {names} (never run here, or the encoder is not downloaded yet)" if unknown else ""
    return f"Expected: {format_duration(expected_seconds(todo))}{between}{more}{less}."


def _nothing_to_run(places: Collection[Where | None]) -> str:
    """Why nothing runs: where the results are that will be restored."""
    if not places:
        return "Everything is up to date."
    if len(places) > 1:
        return "Nothing has to run: the cache and the remote have the results."
    return f"Nothing has to run: the {'remote' if 'remote' in places else 'cache'} has the results."


def _shorten(reasons: list[str]) -> list[str]:
    if len(reasons) <= SHOWN_REASONS + 1:  # "and 1 more" would be no shorter than the reason
        return reasons
    return [*reasons[:SHOWN_REASONS], f"and {len(reasons) - SHOWN_REASONS} more"]


def _enumerate(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def format_duration(seconds: float) -> str:
    """`47 s`, `12 min 30 s`, `3 h 5 min`."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
