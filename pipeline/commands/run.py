"""`retune run`, `retune results` and `retune ui`: run the stages that must run, and show their results."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from pipeline.commands.options import Overrides
from pipeline.commands.plan import plan_changes
from pipeline.commands.terminal import console, leave_at_once, project_root, show_table
from stages.errors import PipelineError
from stages.metrics.summary import format_value
from stages.paths import Paths
from stages.shown import visible

if TYPE_CHECKING:
    from pipeline.repository.results import RunResults

LAST_AT_END = "test.log_loss"  # a run that ends shows it after the headline metrics


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
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            help="Number of stages that may run at the same time; those in the pool gpu run one per GPU.",
        ),
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
        comments = any(plan.comments for plan in plans)
        console.print(
            "Only comments or layout of code changed: nothing to run. To record that in dvc.lock: retune accept"
            if comments
            else "Nothing has changed: nothing to run."
        )
    else:
        from pipeline.local.launch import run_flow

        params = dict(recipes.parse_override(line) for line in overrides or ())
        parameters = {"params": params, "targets": targets, "recipe": recipe, "refresh": refresh}
        configured = run_flow(root, console, on_api_lost=leave_at_once, **parameters, jobs=jobs, wait_for_others=wait)
        if not configured:
            console.print("To see this run in Prefect's UI: retune ui")
    _show_results(root, brief=True)


def results(
    timings: Annotated[
        bool, typer.Option("--timings", help="Show the seconds, tokens per second and memory of each stage instead.")
    ] = False,
) -> None:
    """Show the metrics of the last run: those of the model that ships, and the means over the seeds.

    Each metric has its interval. The paths of the report and of the model come last.

    Example: `retune results --timings`
    """
    if timings:
        _show_timings(project_root())
    elif not _show_results(project_root(), brief=False):
        raise PipelineError("There are no results yet: data/report/metrics.json is missing. Run: retune run")


def _show_timings(root: Path) -> None:
    """Show what each stage took, a line for each.

    Raises:
        PipelineError: No stage has timings, or none of this dvc.lock.
    """
    from pipeline.repository.checked_out import describe, not_as_recorded
    from pipeline.repository.project import Project
    from pipeline.repository.timings import read_timings

    with Project(root) as project:
        files = {Paths().timing(stage.name).as_posix(): stage.name for stage in project.graph.stages}
        other = not_as_recorded(project, files)  # of another commit, or of none
        timings = read_timings(root, [stage for path, stage in files.items() if path not in other])
        note = describe(project, other)
    if not timings:
        raise PipelineError(note or "There are no timings yet: data/timing is empty. Run: retune run (or dvc pull)")
    table = Table(box=None, pad_edge=False)
    table.add_column("stage", no_wrap=True)
    for heading in ("seconds", "rows/s", "tokens/s", "share", "MB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for timing in timings:
        table.add_row(
            timing.stage,
            f"{timing.seconds:.1f}",
            _measured(timing.rows_per_second),
            "kept" if timing.all_kept else _measured(timing.tokens_per_second),
            _measured(timing.share_of_rate, ".1%"),
            _measured(timing.peak_memory_mb),
        )
    show_table(table)
    if note:
        console.print(Text(visible(note), style="yellow"))


def _measured(value: float | None, form: str = ".0f") -> str:
    """A number, or a dash, so that each line has as many fields."""
    return "-" if value is None else format(value, form)


def ui(port: Annotated[int, typer.Option(help="Port of the server on this machine.", min=1, max=65535)] = 4200) -> None:
    """Start Prefect's UI on this machine: it shows earlier runs and can start new ones.

    Example: `retune ui --port 4300`
    """
    from pipeline.local.launch import serve_flow

    serve_flow(project_root(), console, port=port)


def _show_results(root: Path, *, brief: bool) -> bool:
    """Show the metrics on test (brief: the leading ones) and the output paths; return whether there are any."""
    from pipeline.repository.results import read_results

    results = read_results(root)
    names = [name for name in results.means if name.startswith("test.")]
    if not names:
        return False
    first = [*results.headline, LAST_AT_END]
    ordered = [name for name in first if name in names] if brief else list(dict.fromkeys([*results.headline, *names]))
    console.print()
    show_table(_results_table(results, ordered))
    console.print()
    for sentence in results.failures:
        console.print(Text(visible(sentence), style="bold red"))
    for sentence in results.notes:
        console.print(Text(visible(sentence), style="yellow"))
    page, model = ((Paths().report / name).as_posix() for name in ("report.html", "model"))
    other, notes = _other_outputs(root, (Paths().all_metrics.as_posix(), page, model))
    for sentence in notes:
        console.print(Text(visible(sentence), style="yellow"))
    if page not in other and (root / page).exists():
        console.print(f"Report: {page}{'; every metric: retune results' if brief else ''}")
    if model not in other and (root / model).exists():
        console.print(f"Model:  {model}; try it: retune predict TEXT")
    if brief:
        console.print("Times:  retune results --timings")
    return True


def _other_outputs(root: Path, outs: Collection[str]) -> tuple[Collection[str], list[str]]:
    """Those of these outputs that the workspace has not as dvc.lock records them, and the notes about them."""
    from pipeline.repository.checked_out import describe, not_as_recorded
    from pipeline.repository.project import Project
    from pipeline.repository.results import HEADLINE

    try:
        with Project(root) as project:
            other = not_as_recorded(project, outs)
            notes = [describe(project, other)] if other else []
            if not_as_recorded(project, [HEADLINE]):
                advice = "its numbers may be of another run. Update them: retune run"
                notes.append(f"{HEADLINE} is not what dvc.lock records: {advice}")
    except PipelineError:  # results are shown all the same where dvc.yaml or dvc.lock can't be read
        return (), []
    return other, notes


def _results_table(results: "RunResults", names: Collection[str]) -> Table:
    """The model that ships; beside it the mean where there are several seeds."""
    from pipeline.repository.results import format_interval, seeds_title

    several = results.model and len(results.seeds) != 1
    columns = [(seeds_title(results.seeds), results.means)] if several or not results.model else []
    if results.model:
        columns.insert(0, (f"model that ships, seed {results.seed}", results.model))
    table = Table(box=None, pad_edge=False)
    table.add_column("test", no_wrap=True, vertical="bottom")
    for title, _ in columns:
        what, _, seed = title.partition(", ")
        table.add_column(
            f"{what},\n{seed}" if seed else title.replace(" over", "\nover"), justify="right", no_wrap=True
        )
        table.add_column("interval", justify="right", no_wrap=True, vertical="bottom")
    for name in names:
        cells = [metrics.get(name) for _, metrics in columns]
        shown = [(format_value(cell.mean), format_interval(cell)) if cell else ("", "") for cell in cells]
        table.add_row(name.removeprefix("test."), *(part for pair in shown for part in pair))
    return table
