"""`retune compare` and `retune log`: what changes did to the model."""

from enum import Enum
from typing import Annotated

import typer
from rich.console import RenderableType

from pipeline.commands.terminal import console, project_root


class FailOn(Enum):
    """What `retune compare` fails on."""

    none = "none"
    worse = "worse"


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
    from pipeline.comparison.compare import compare as run_comparison
    from pipeline.comparison.views import view_comparison

    rule = fail_on.value if fail_on else None
    found = run_comparison(project_root(), base, head, fail_on=rule, require=require or (), max_drop=max_drop or ())
    _show(view_comparison(found, as_markdown=markdown, as_json=as_json))
    if not found.passed:
        raise typer.Exit(3)


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

    root = project_root()
    points = history.read_history(root, rev, most=most)
    names = history.headline(root, points, metric)
    _show(view_history(points, names, as_markdown=markdown, as_json=as_json))


def _show(view: RenderableType) -> None:
    typer.echo(view) if isinstance(view, str) else console.print(view)
