"""`retune run`, `retune results` and `retune ui`: run what has to run, and see what came out."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from pipeline.commands.options import Overrides
from pipeline.commands.plan import plan_changes
from pipeline.commands.terminal import console, leave_at_once, project_root, show_table
from stages.errors import PipelineError
from stages.metrics.names import HEADLINE
from stages.paths import Paths

LAST_LINES = (*HEADLINE, "log_loss")  # metrics that a run ends with


def run(
    targets: Annotated[list[str] | None, typer.Argument(help="Stages, such as evaluate; none: all.")] = None,
    overrides: Overrides = None,
    recipe: Annotated[str | None, typer.Option(help="Write params.yaml anew from this recipe first.")] = None,
    refresh: Annotated[bool, typer.Option(help="Fetch data and encoder again; the same bytes change nothing.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Stages at once; one per GPU.")] = 1,
    wait: Annotated[bool, typer.Option(help="Wait for another run in this workspace.")] = False,
) -> None:
    """Bring everything up to date as a Prefect flow; only what a change affects runs.

    Example: `retune run -S 'seeds=[1,2]' --jobs 2`
    """
    from pipeline import recipes
    from pipeline.execution.workspace import hold

    root = project_root()
    with hold(root, wait=wait):  # what a killed run has left is put right before anybody looks
        plans = plan_changes(root, targets or (), overrides or (), recipe=recipe)
    if all(plan.state == "fresh" for plan in plans) and not refresh:
        text = recipes.changed_params(root, recipe=recipe, overrides=overrides or ())
        if text is not None:
            recipes.write_params(root, text)
        console.print("Nothing has changed: nothing to run.")
    else:
        from pipeline.local.session import run_flow

        params = dict(recipes.parse_override(line) for line in overrides or ())
        parameters = {"params": params, "targets": targets, "recipe": recipe, "refresh": refresh}
        configured = run_flow(root, console, on_lost=leave_at_once, **parameters, jobs=jobs, wait_for_others=wait)
        if not configured:
            console.print("See this run in Prefect's UI with: retune ui")
    _show_results(root, LAST_LINES)


def results() -> None:
    """Show the results of the last run: metric, value, interval, and where the report lies.

    Example: `retune results`
    """
    if not _show_results(project_root()):
        raise PipelineError("There are no results yet (data/report/metrics.json is missing). Get them with: retune run")


def ui(port: Annotated[int, typer.Option(help="Of the server on this machine.")] = 4200) -> None:
    """Start Prefect's UI on this machine, with a worker that takes runs started there; earlier runs are there too.

    Example: `retune ui --port 4300`
    """
    from pipeline.local.session import run_ui

    run_ui(project_root(), console, port=port)


def _show_results(root: Path, names: Collection[str] = ()) -> bool:
    """Show metrics on test (none named: all) and what else came out; return whether there are any."""
    from pipeline.repository.results import format_interval, read_metrics

    metrics = {name.removeprefix("test."): one for name, one in read_metrics(root).items() if name.startswith("test.")}
    if not metrics:
        return False
    table = Table(box=None, pad_edge=False)
    for heading in ("metric", "test", "interval"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "metric" else "right")
    for name, metric in metrics.items():
        if not names or name in names:
            table.add_row(name, f"{metric.mean:.3f}", format_interval(metric))
    console.print()
    show_table(table)
    console.print()
    folder = Paths(root).report.relative_to(root)
    console.print(f"Report: {folder / 'report.html'}{'; every metric: retune results' if names else ''}")
    console.print(f"Model:  {folder / 'model'}; try it: retune predict TEXT")
    return True
