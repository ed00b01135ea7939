"""`retune run`, `retune results` and `retune ui`: run the stages that must run, and show their results."""

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

SHOWN_AT_END = (*HEADLINE, "log_loss")  # metrics that a run shows when it ends


def run(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Stages to bring up to date, such as evaluate; default: all.")
    ] = None,
    overrides: Overrides = None,
    recipe: Annotated[str | None, typer.Option(help="Write params.yaml from this recipe first.")] = None,
    refresh: Annotated[
        bool, typer.Option(help="Download the data and the encoder again; other stages run only if the bytes changed.")
    ] = False,
    jobs: Annotated[
        int,
        typer.Option("--jobs", "-j", min=1, help="Stages that may run at once; those in the pool gpu run one per GPU."),
    ] = 1,
    wait: Annotated[
        bool, typer.Option(help="Wait while another run is active in this folder, instead of failing.")
    ] = False,
) -> None:
    """Run the stages that a change affects, as a Prefect flow, and show the results.

    Example: `retune run -S 'seeds=[1,2]' --jobs 2`
    """
    from pipeline import params_file, recipes
    from pipeline.execution.workspace import hold

    root = project_root()
    if recipe:  # before a server is started for it
        params_file.check_replaceable(root, recipes.compose(root, recipe, overrides or ()))
    with hold(root, wait=wait):  # also repairs what a killed run left behind, so that the plan sees a sound workspace
        plans = plan_changes(root, targets or (), overrides or (), recipe=recipe)
    if all(plan.state == "fresh" for plan in plans) and not refresh:
        text = recipes.changed_params(root, recipe=recipe, overrides=overrides or ())
        if text is not None:
            params_file.write_params(root, text, replace=recipe is not None)
        console.print("Nothing has changed: nothing to run.")
    else:
        from pipeline.local.launch import run_flow

        params = dict(recipes.parse_override(line) for line in overrides or ())
        parameters = {"params": params, "targets": targets, "recipe": recipe, "refresh": refresh}
        configured = run_flow(root, console, on_api_lost=leave_at_once, **parameters, jobs=jobs, wait_for_others=wait)
        if not configured:
            console.print("To see this run in Prefect's UI: retune ui")
    _show_results(root, SHOWN_AT_END)


def results() -> None:
    """Show the metrics of the last run with their intervals, and the paths of the report and the model.

    Example: `retune results`
    """
    if not _show_results(project_root()):
        raise PipelineError("There are no results yet: data/report/metrics.json is missing. Run: retune run")


def ui(port: Annotated[int, typer.Option(help="Port of the server on this machine.", min=1, max=65535)] = 4200) -> None:
    """Start Prefect's UI on this machine: it shows earlier runs and can start new ones.

    Example: `retune ui --port 4300`
    """
    from pipeline.local.launch import serve_flow

    serve_flow(project_root(), console, port=port)


def _show_results(root: Path, names: Collection[str] = ()) -> bool:
    """Show these metrics on the test split (none named: all) and the output paths; return whether there are any."""
    from pipeline.repository.results import format_interval, read_metrics

    metrics = {
        name.removeprefix("test."): metric for name, metric in read_metrics(root).items() if name.startswith("test.")
    }
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
