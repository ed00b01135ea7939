"""`retune init`: make a data set of the user's own the one that the stages read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from pipeline.commands.options import Overrides
from pipeline.commands.terminal import can_ask, console, project_root, show_table
from stages.messages import examples, plain
from stages.params import parse_mapping
from stages.shown import visible
from stages.yaml_file import read_text

if TYPE_CHECKING:
    from pipeline.dataset.choice import Ask
    from pipeline.dataset.named import Chosen
    from pipeline.dataset.place import Placed
    from pipeline.dataset.sample import Sample

DATASET = "download.dataset"
READING = ("format", "encoding", "delimiter", "header", "quoting", "sheet")  # keys that say how a file is read


def init(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV, TSV, JSON, JSONL, Excel, Parquet or Arrow; or a folder with one subfolder per class."
        ),
    ],
    text: Annotated[str | None, typer.Option(help="Column of the texts.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of the labels; for sets of labels the columns of 0 and 1: --label app,bill, or repeated."
        ),
    ] = None,
    pair: Annotated[str | None, typer.Option(help="Column of the second texts, for pairs, or none.")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Column that identifies a row, or none.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Column whose equal values stay in one split, such as the author, or none.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title of the report; default: from the file's name.")] = None,
    overrides: Overrides = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite a file of this name even if DVC has no copy of it.")
    ] = False,
) -> None:
    """Use a data set of your own: track it with DVC, find its columns, and write both into params.yaml.

    A file from elsewhere is copied to data/mine/, one in the project stays where it is. Git gets only the file's MD5.
    In a terminal it asks which columns to use; elsewhere it prints which ones it chose. Values of params.yaml
    that were for other labels, such as evaluate.metric, are reset, and each is printed. Other keys do not change.
    A file of the same name as before has new rows: its columns, labels and title stay, unless an option sets them.

    Example: `retune init ~/reviews.csv --text body --label stars`
    """
    from pipeline import params_file, recipes
    from pipeline.dataset import new_rows
    from pipeline.dataset.choice import choose_columns, why_dropped
    from pipeline.dataset.columns import GUESSED
    from pipeline.dataset.describe import params_of
    from pipeline.dataset.fitness import rules_of
    from pipeline.dataset.place import path_of, place
    from pipeline.dataset.unused import unused_columns
    from pipeline.execution.workspace import check_idle

    root = project_root()
    check_idle(root)
    before = read_text(root / params_file.NAME) or recipes.compose(root, "default")
    chosen = recipes.values_set(before, overrides or ())
    reading = {key: chosen[f"{DATASET}.{key}"] for key in READING if f"{DATASET}.{key}" in chosen}
    recipes.describe_in(before, {f"{DATASET}.{key}": value for key, value in reading.items()})  # it checks them
    values_before = parse_mapping(before, name=params_file.NAME)
    path = path_of(root, file)
    own = new_rows.own_dataset(values_before, path)
    former = new_rows.former_dataset(values_before, path)
    sample = new_rows.describe_again(file, reading, former, root / former.get("folder", path))
    options = {"text": text, "label": label or None, "id": id_, "group": group, "text_pair": pair}
    options = {field: _set_column(chosen, field) or name for field, name in options.items()}
    kept, rules = new_rows.kept_columns(sample, former), rules_of(values_before["download"]["dataset"], chosen)
    columns = choose_columns(sample, options, kept, _asker(sample) if can_ask() else None, rules)
    new = new_rows.values_if_new(file, reading, options, path=path) if own else {}
    placed = place(root, file, force=force)
    values = params_of(sample, columns, path=path) | new_rows.kept_values(sample, own, former, columns)
    if title or former:
        values["report.title"] = title or values_before["report"]["title"]
    text_now = _with_own_names(recipes.override(recipes.describe_in(before, values), overrides or ()), sample, columns)
    params_file.write_params(root, text_now)
    unused = unused_columns(sample, _columns_in(text_now))
    answered = {field for field in kept if can_ask() and field in GUESSED}
    said = {field for field, name in options.items() if name is not None or field in answered}
    hidden = {*chosen, *(f"{DATASET}.columns.{field}" for field in said), *(["report.title"] if title else [])}
    lost = [key for key in new_rows.lost_keys(sample, former, columns) if key not in hidden]
    _show(placed, sample.with_notes(*sample.notes, ("not used", unused)), columns)
    _show_kept(
        params_file.kept_keys(before, text_now, {key: value for key, value in new.items() if key not in hidden}),
        f"{file.absolute().name} has the name of the data set so far" if former else "the label has the same column",
    )
    _show_lost(params_file.changed_values(before, text_now, lost), why_dropped(sample, kept, columns, rules))
    console.print("params.yaml describes it. To change a column: retune init FILE --label COLUMN")
    console.print("Next: retune run. To share the data: git add --all, git commit, dvc push")


def _columns_in(text: str) -> dict[str, Any]:
    """The columns of each field in a text of params.yaml."""
    return dict(parse_mapping(text, name="params.yaml")["download"]["dataset"]["columns"])


def _with_own_names(text: str, sample: "Sample", columns: dict[str, "Chosen"]) -> str:
    """The text of params.yaml with the file's own names, where an override has a number or leaves blanks out."""
    from pipeline import recipes
    from pipeline.dataset.named import names_of

    now = _columns_in(text)
    same = {field: column for field, column in columns.items() if column is not None}
    same = {field: column for field, column in same.items() if names_of(sample, now[field]) == names_of(sample, column)}
    return recipes.describe_in(text, {f"{DATASET}.columns.{field}": column for field, column in same.items()})


def _set_column(chosen: dict[str, Any], field: str) -> str | list[str] | None:
    """The column that `-S download.dataset.columns` sets for a field, as an option says it; None: it sets none."""
    from pipeline.dataset.choice import NEEDED, NONE

    value = chosen.get(key := f"{DATASET}.columns.{field}")
    if value is None:
        return NONE if key in chosen and field not in NEEDED else None
    return [str(name) for name in value] if field == "label" and isinstance(value, list) else str(value)


def _asker(sample: "Sample") -> "Ask":
    """What asks a person for the column of a field, after a line that says what was wrong."""
    from pipeline.dataset.choice import NEEDED, NONE
    from pipeline.dataset.named import show_names

    def ask(field: str, default: str | None, why: str | None) -> str:
        if why:
            console.print(visible(why))
        none = "" if field in NEEDED else f", or {NONE}"
        answer: str = typer.prompt(f"Column of the {field} ({show_names(sample)}{none})", default=default)
        return answer

    return ask


def _show(placed: "Placed", sample: "Sample", columns: dict[str, "Chosen"]) -> None:
    """Print where the data is, how it is read, and what was taken for what."""
    from pipeline.dataset.choice import NONE
    from pipeline.dataset.named import names_of

    where = f"{placed.path}{' (copied)' if placed.copied else ''}"
    if placed.tracked:
        console.print(f"{where}: tracked by DVC; git gets {placed.path}.dvc only, never the data.")
    else:
        console.print(f"{where}: tracked by git already, so it stays there.")
    table = Table(box=None, pad_edge=False, show_header=False)
    for field in ("text", "text_pair", "label", "id", "group"):
        name = columns.get(field)
        if name is not None or (field in ("id", "group") and columns):
            shown = NONE if name is None else examples(names_of(sample, name), show=plain)
            table.add_row(f"  {field}", shown, _about(sample, field, name))
    for name, note in sample.notes:
        table.add_row(f"  {name}", note)
    if table.row_count:
        show_table(table)
    if sample.encoding != "utf-8" or sample.delimiter or not sample.header:
        header = "" if sample.header else ", no header (if it has one: -S download.dataset.header=true)"
        console.print(f"  read as {sample.encoding}, delimiter {sample.delimiter or ','!r}{header}")
    if sample.guess:
        console.print(
            f"  {sample.encoding} is a guess, because the file is not UTF-8. {sample.guess} If letters look wrong: "
            "retune init FILE -S download.dataset.encoding=NAME"
        )


def _show_kept(keys: list[str], why: str) -> None:
    """Print which values of params.yaml stay, though those of a new data set would be others."""
    if keys:
        console.print(visible(f"  kept, because {why}: {', '.join(key.rpartition('.')[2] for key in keys)}"))


def _show_lost(lines: list[str], dropped: dict[str, str]) -> None:
    """Print which values of params.yaml were reset, and why a column that the file still has is not used."""
    for line in lines:
        field = line.partition(":")[0].removeprefix(f"{DATASET}.columns.")
        why = f"({dropped[field]})" if field in dropped else "(to set it again: retune init FILE -S KEY=VALUE)"
        console.print(f"  reset {visible(line)} {visible(why)}")


def _about(sample: "Sample", field: str, name: "Chosen") -> str:
    """What stands in a column."""
    if isinstance(name, list):
        return f"{len(name)} labels, of which a row has any number"
    column = next((column for column in sample.columns if column.name == name), None)
    if column is None:
        return ""
    blanks = sample.rows - column.filled
    blank = f"; blank in {blanks} row{'s' if blanks != 1 else ''}" if blanks else ""
    if field in ("label", "group"):
        return f"{len(column.values)} values: {examples(list(column.values), show=plain)}{blank}"
    return f"{column.mean_length:.0f} characters on average{blank}" if field in ("text", "text_pair") else ""
