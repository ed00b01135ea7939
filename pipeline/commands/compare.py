"""`retune compare` and `retune log`: what a change did to the model, and how its metrics developed."""

import json
from enum import Enum
from typing import Annotated, Any

import typer

from pipeline.commands.terminal import console, project_root


class FailOn(Enum):
    """What makes `retune compare` fail."""

    none = "none"
    worse = "worse"


def compare(
    base: Annotated[str, typer.Argument(help="Git revision to compare with, such as origin/main.")],
    head: Annotated[str | None, typer.Argument(help="Git revision that is judged. Default: the workspace.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a comment for a pull request.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    fail_on: Annotated[
        FailOn | None, typer.Option(help="worse: fail if a headline metric is worse by more than chance.")
    ] = None,
    require: Annotated[
        list[str] | None, typer.Option(help='Rule for the model that ships, "test.macro_f1 >= 0.80"; may be repeated.')
    ] = None,
    max_drop: Annotated[
        list[str] | None,
        typer.Option(
            help="Fail unless the interval rules out a larger drop (a rise if lower is better): test.mcc=0.01."
        ),
    ] = None,
) -> None:
    """Show what a change did to the model, and whether it is more than chance.

    Exit code 3 if a rule fails; 4 if the results can't decide a rule (--fail-on worse with one seed per side; any rule
    if head's results are out of date).

    Example: `retune compare origin/main --fail-on worse --max-drop test.mcc=0.01`
    """
    from pipeline.comparison.compare import compare as compare_revisions

    rule = fail_on.value if fail_on else None
    comparison = compare_revisions(
        project_root(), base, head, fail_on=rule, require=require or (), max_drop=max_drop or ()
    )
    if as_json:
        _print_json(comparison.as_json())
    elif markdown:
        from pipeline.comparison.render.markdown import render

        typer.echo(render(comparison))
    else:
        from pipeline.comparison.render import terminal

        console.print(terminal.render(comparison))
    if not comparison.passed:
        raise typer.Exit(4 if comparison.undecided else 3)


def log(
    rev: Annotated[
        str | None, typer.Argument(help="Newest git revision to show. Default: the workspace, then HEAD.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Metric to show, such as test.mcc. Default: the headline metrics.")
    ] = None,
    most: Annotated[int, typer.Option("--most", "-n", min=1, help="Number of commits, at most.")] = 20,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown with a table and plots that GitHub renders.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all metrics of each commit as JSON.")] = False,
) -> None:
    """Show the headline metrics of each commit: the mean over the seeds with its interval, and the model that ships.

    Example: `retune log --metric test.mcc -n 10`
    """
    from pipeline.comparison.history import as_json as history_as_json
    from pipeline.comparison.history import choose_metrics, in_headline, read_history

    root = project_root()
    commits = read_history(root, rev, most=most, everything=as_json or bool(metric and not in_headline(metric)))
    names = choose_metrics(root, commits, metric)
    if as_json:
        _print_json(history_as_json(commits))
    else:
        from pipeline.comparison.render.history import render_markdown, render_terminal

        if markdown:
            typer.echo(render_markdown(commits, names))
        else:
            console.print(render_terminal(commits, names), crop=False)  # a narrow terminal wraps lines


def _print_json(values: Any) -> None:
    typer.echo(json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False))
