"""`retune use` and `retune plan`: write parameters, and see what they would change."""

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import Overrides
from pipeline.commands.terminal import can_ask, console, project_root, show_table
from stages.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.planning.plan import StagePlan


def use(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe in recipes/, or the path of a recipe file.")],
    overrides: Overrides = None,
    force: Annotated[
        bool, typer.Option("--force", help="Discard edits of params.yaml that are not committed.")
    ] = False,
) -> None:
    """Write params.yaml from the defaults, a recipe's differences, and your own values.

    Edits that are not committed are shown, and discarded only if you say so; the -S of an earlier `retune use` are
    replaced without asking. For a data set of your own: `retune init`.

    Example: `retune use sms_spam -S 'seeds=[1,2,3]' -S finetune.learning_rate=5e-5`
    """
    from pipeline import params_file, recipes
    from pipeline.execution.workspace import check_idle

    root = project_root()
    check_idle(root)
    text = recipes.compose(root, recipe, overrides or ())
    try:
        changed = params_file.write_params(root, text, replace=True, force=force)
    except params_file.EditedError as error:
        if not can_ask():
            raise
        console.print("params.yaml has edits that are not committed, and they would be lost:")
        for line in error.edits:
            console.print(f"  {line}")
        if not typer.confirm(f"Discard them and write the recipe {recipe}?"):
            console.print("params.yaml is unchanged.")
            raise typer.Exit(1) from error
        changed = params_file.write_params(root, text, replace=True, force=True)
    state = "now holds" if changed else "already holds"
    changes = len(params_file.differences(recipes.compose(root, recipe), text)) if overrides else 0
    own = f" with {changes} change{'s' if changes > 1 else ''}" if changes else ""
    console.print(f"params.yaml {state} the recipe {recipe}{own}. Next: retune run")


def plan(
    targets: Annotated[list[str] | None, typer.Argument(help="Stages to plan, such as evaluate; default: all.")] = None,
    overrides: Overrides = None,
    rev: Annotated[str | None, typer.Option(help="Plan for this git revision instead of the workspace.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the stage, state, reasons and seconds of each stage as JSON.")
    ] = False,
) -> None:
    """Show which stages would run, why, and for how long, without running anything.

    Example: `retune plan -S finetune.learning_rate=3e-5`
    """
    if rev == "":  # a variable of a script that is not set
        raise PipelineError("--rev is empty. Give a revision, or leave it out to plan for the workspace.")
    plans = plan_changes(project_root(), targets or (), overrides or (), rev=rev)
    if as_json:
        typer.echo(json.dumps([plan.as_json() for plan in plans], indent=2, ensure_ascii=False))
        return
    from pipeline.planning.table import plan_table, summary

    show_table(plan_table(plans))
    console.print(summary(plans))


def plan_changes(
    root: Path,
    targets: Collection[str] = (),
    overrides: Iterable[str] = (),
    *,
    rev: str | None = None,
    recipe: str | None = None,
) -> "tuple[StagePlan, ...]":
    """Plan with a recipe and overrides that are not in params.yaml yet; `retune.plan` in Python.

    Args:
        root: The project's folder.
        targets: Stages, with all that they need; none: all.
        overrides: `KEY=YAML` each.
        rev: Plan for this git revision, as it is.
        recipe: Begin from this recipe.

    Raises:
        PipelineError: Values are given for a revision, which has its own; or the plan can't be made.
    """
    from pipeline.planning.plan import make_plan
    from pipeline.recipes import changed_params
    from pipeline.repository.project import Project

    if rev and (recipe or list(overrides)):
        raise PipelineError("A revision is planned as it is. Leave out -S, or check the revision out and plan there.")
    text = changed_params(root, recipe=recipe, overrides=overrides) if not rev else None
    with Project(root, rev=rev, params_text=text) as project:
        return make_plan(project.graph.select(targets), project)
