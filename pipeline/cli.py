"""`retune`: write parameters, see what a change would do, run it, and read the results."""

import json
import logging
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from stages.errors import DataError, ParamsError, PipelineError, RetuneError

if TYPE_CHECKING:
    from pipeline.plan import StagePlan

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="markdown", help=__doc__)
console = Console(soft_wrap=not sys.stdout.isatty(), highlight=False)
Overrides = Annotated[
    list[str] | None, typer.Option("-S", "--set", metavar="KEY=YAML", help="Another value; may be repeated.")
]
FileOption = Annotated[str | None, typer.Option(help="CSV, TSV, JSONL, Parquet or text lines; - is standard input.")]
ColumnOption = Annotated[str, typer.Option(help="Column of the texts.")]
PairOption = Annotated[str | None, typer.Option(help="Column of the second texts, for a model of pairs.")]
OutOption = Annotated[Path | None, typer.Option(help="File to write; else standard output.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on where an interrupted run was.")]
ModelOption = Annotated[Path | None, typer.Option(help="A model's folder instead of data/report/model.")]
FormatOption = Annotated[
    str | None, typer.Option("--format", help="Of the rows, where the file's name does not say it.")
]
EncodingOption = Annotated[str | None, typer.Option(help="Of a text file, where it is not UTF-8.")]
PrefixOption = Annotated[str, typer.Option(help="Put before the names of the added columns.")]


class FailOn(Enum):
    """What `retune compare` fails on."""

    none = "none"
    worse = "worse"


def main() -> NoReturn:
    """Run the command; what the user can mend is one line and exit code 1."""
    _configure_log()
    try:
        app(standalone_mode=True)
    except RetuneError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(1) from None
    raise SystemExit(0)


@app.command()
def use(
    recipe: Annotated[str, typer.Argument(help="Name of a file in recipes/, or the path of one.")],
    overrides: Overrides = None,
) -> None:
    """Write params.yaml anew: the defaults, a recipe's differences, and your own values.

    Example: `retune use sms_spam -S 'seeds=[1,2,3]' -S finetune.learning_rate=5e-5`
    """
    from pipeline import recipes

    root = _root()
    changed = recipes.write_params(root, recipes.compose(root, recipe, overrides or ()))
    console.print(f"params.yaml {'is now' if changed else 'already was'} the recipe {recipe}. Next: retune run")


@app.command()
def plan(
    targets: Annotated[list[str] | None, typer.Argument(help="Stages, such as evaluate; none: all.")] = None,
    overrides: Overrides = None,
    rev: Annotated[str | None, typer.Option(help="Plan for this git revision instead of the workspace.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A list of stage, state, reasons, seconds.")] = False,
) -> None:
    """Show which stages would run, why, and for how long, without running anything.

    Example: `retune plan -S finetune.learning_rate=3e-5`
    """
    plans = _plan(_root(), targets or (), overrides or (), rev=rev)
    if as_json:
        print(json.dumps([plan.as_json() for plan in plans], indent=2, ensure_ascii=False))
        return
    _show_plan(plans)


@app.command()
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
    from pipeline.workspace import hold

    root = _root()
    with hold(root, wait=wait):  # what a killed run has left is put right before anybody looks
        plans = _plan(root, targets or (), overrides or (), recipe=recipe)
    if all(plan.state == "fresh" for plan in plans) and not refresh:
        _write_params(root, overrides or (), recipe)
        console.print("Nothing has changed: nothing to run.")
    else:
        from pipeline.local import run_flow

        parameters = {"params": _parse(overrides or ()), "targets": targets, "recipe": recipe}
        configured = run_flow(root, console, **parameters, refresh=refresh, jobs=jobs, wait_for_others=wait)
        if not configured:
            console.print("See this run in Prefect's UI with: retune ui")
    _show_results(root)


@app.command()
def results() -> None:
    """Show the results of the last run: metric, value, interval, and where the report lies.

    Example: `retune results`
    """
    root = _root()
    if not _show_results(root):
        raise PipelineError("There are no results yet (data/report/metrics.json is missing). Get them with: retune run")


@app.command()
def predict(
    texts: Annotated[list[str] | None, typer.Argument(help="Texts to classify.")] = None,
    file: FileOption = None,
    column: ColumnOption = "text",
    pair_column: PairOption = None,
    out: OutOption = None,
    every_label: Annotated[bool, typer.Option("--all", help="The probability of every label as well.")] = False,
    resume: ResumeOption = False,
    model: ModelOption = None,
    kind: FormatOption = None,
    encoding: EncodingOption = None,
    prefix: PrefixOption = "",
) -> None:
    """Classify texts, or the rows of a CSV, TSV, JSONL, Parquet or text file, with the model of the last run.

    Example: `retune predict "It crashes."`, `retune predict --file in.csv --column text --out out.csv`
    """
    from pipeline.jobs import Job
    from pipeline.predict import classify, predict_rows

    folder = model or _model()
    if file and not texts:
        job = Job(file, out, folder, column, pair_column, kind, encoding, prefix, resume)
        return predict_rows(job, every_label=every_label)
    if not texts or file:
        raise DataError("Give texts, or the rows of a file: --file FILE (- for standard input), and not both.")
    for text, prediction in zip(texts, classify(folder, texts), strict=True):
        others = "".join(f"  {label} {share:.3f}" for label, share in prediction.probabilities.items())
        shown = " ".join(text.split())
        print(f"{prediction.label}  {prediction.probability:.3f}{others if every_label else ''}  {shown[:80]}")
    return None


@app.command()
def embed(
    file: FileOption = None,
    column: ColumnOption = "text",
    pair_column: PairOption = None,
    out: OutOption = None,
    resume: ResumeOption = False,
    model: ModelOption = None,
    kind: FormatOption = None,
    encoding: EncodingOption = None,
    prefix: PrefixOption = "",
) -> None:
    """Write the sentence embedding of each row of a file to Parquet: the tuned encoder's mean over the tokens.

    Example: `retune embed --file in.csv --column text --out embeddings.parquet`
    """
    from pipeline.jobs import Job
    from pipeline.predict import embed_rows

    if not file:
        raise DataError("Give the rows: --file FILE (- for standard input).")
    embed_rows(Job(file, out, model or _model(), column, pair_column, kind, encoding, prefix, resume))


@app.command()
def ui(port: Annotated[int, typer.Option(help="Of the server on this machine.")] = 4200) -> None:
    """Start Prefect's UI on this machine, with a worker that takes runs started there; earlier runs are there too.

    Example: `retune ui --port 4300`
    """
    from pipeline.local import run_ui

    run_ui(_root(), console, port=port)


@app.command()
def compare(
    base: Annotated[str, typer.Argument(help="The git revision to compare with, such as origin/main.")],
    head: Annotated[str | None, typer.Argument(help="The revision that is judged; none: the workspace.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="A comment for a pull request.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
    fail_on: Annotated[FailOn | None, typer.Option(help="Fail where a headline metric is worse.")] = None,
    require: Annotated[list[str] | None, typer.Option(help='Such as "test.macro_f1 >= 0.80"; repeatable.')] = None,
    max_drop: Annotated[list[str] | None, typer.Option(help="Such as test.mcc=0.01; repeatable.")] = None,
) -> None:
    """Show what a change did to the model, and whether it is more than chance; exit code 3 where a rule is broken.

    Example: `retune compare origin/main --fail-on worse --max-drop test.mcc=0.01`
    """
    from pipeline.compare import compare as run_comparison
    from pipeline.comparison.views import view_comparison

    rule = fail_on.value if fail_on else None
    found = run_comparison(_root(), base, head, fail_on=rule, require=require or (), max_drop=max_drop or ())
    _print(view_comparison(found, as_markdown=markdown, as_json=as_json))
    if not found.passed:
        raise typer.Exit(3)


@app.command()
def log(
    rev: Annotated[str | None, typer.Argument(help="Where to begin; none: the workspace and HEAD.")] = None,
    metric: Annotated[str | None, typer.Option(help="Show this one, such as test.mcc; none: the headline.")] = None,
    most: Annotated[int, typer.Option("--most", "-n", min=1, help="Commits at most.")] = 20,
    markdown: Annotated[bool, typer.Option("--markdown", help="A table and a plot that GitHub draws.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A list of commits with all metrics.")] = False,
) -> None:
    """Show the headline metrics over commits, with intervals.

    Example: `retune log --metric test.mcc -n 10`
    """
    from pipeline.comparison import history
    from pipeline.comparison.views import view_history

    root = _root()
    points = history.read_history(root, rev, most=most)
    names = history.headline(root, points, metric)
    _print(view_history(points, names, as_markdown=markdown, as_json=as_json))


def _print(view: Any) -> None:
    print(view) if isinstance(view, str) else console.print(view)


def _configure_log() -> None:
    """Our own lines from INFO on; those of the libraries go where they put them themselves."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name in ("pipeline", "stages"):
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.INFO)
        logging.getLogger(name).propagate = False


def _root() -> Path:
    from pipeline.project import find_root

    return find_root(Path.cwd())


def _model() -> Path:
    from stages.paths import Paths

    root = _root()
    return (Paths().report if root == Path.cwd() else Paths(root).report) / "model"


def _text(root: Path, overrides: Any, recipe: str | None) -> str | None:
    """What params.yaml would say, or None if it stays as it is."""
    from pipeline import recipes

    if recipe:
        return recipes.compose(root, recipe, overrides)
    path = root / "params.yaml"
    if not path.is_file():
        raise ParamsError(f"{path} is missing. Write it with: retune use default")
    text = path.read_text(encoding="utf-8")
    return recipes.override(text, overrides) if overrides else None


def _write_params(root: Path, overrides: Any, recipe: str | None) -> None:
    from pipeline import recipes

    text = _text(root, overrides, recipe)
    if text is not None:
        recipes.write_params(root, text)


def _parse(overrides: Any) -> dict[str, Any]:
    from pipeline import recipes

    return dict(recipes.parse_override(line) for line in overrides)


def _plan(
    root: Path, targets: Any, overrides: Any, *, rev: str | None = None, recipe: str | None = None
) -> "tuple[StagePlan, ...]":
    from pipeline.graph import Project
    from pipeline.plan import make_plan

    text = _text(root, overrides, recipe) if not rev else None
    with Project(root, rev=rev, params_text=text) as project:
        return make_plan(project.graph.select(targets), project)


def _show_plan(plans: "tuple[StagePlan, ...]") -> None:
    from pipeline.display import STYLES
    from pipeline.plan import expected_seconds

    table = Table(box=None, pad_edge=False)
    table.add_column("stage", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("why")
    for plan in plans:
        seconds = "?" if plan.seconds is None else f"{plan.seconds:.0f}" if plan.seconds else ""
        why = "; ".join(plan.as_json()["reasons"])
        table.add_row(plan.stage, f"[{STYLES[plan.state]}]{plan.state}[/]", seconds, why.replace("[", r"\["))
    console.print(table)
    todo = [plan for plan in plans if plan.state in ("runs", "pending")]
    if not todo:
        console.print(
            "Nothing has to run." if any(plan.state == "restored" for plan in plans) else "All is up to date."
        )
    else:
        known = "at most " if any(plan.state == "pending" for plan in todo) else ""
        more = " and what has no earlier run to go by" if any(plan.seconds is None for plan in todo) else ""
        console.print(f"Expected: {known}{expected_seconds(todo):.0f} s{more}.")


def _show_results(root: Path) -> bool:
    from pipeline.results import format_interval, read_metrics
    from stages.paths import Paths

    metrics = read_metrics(root)
    if not metrics:
        return False
    table = Table(box=None, pad_edge=False)
    for heading in ("metric", "value", "interval"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "metric" else "right")
    for name, metric in metrics.items():
        if name.startswith("test/"):
            table.add_row(name, f"{metric.value:.3f}", format_interval(metric))
    console.print(table)
    console.print(f"Report: {(Paths(root).report / 'report.html').relative_to(root)}")
    return True


if __name__ == "__main__":
    main()
