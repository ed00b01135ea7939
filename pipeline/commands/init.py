"""`retune init`: make a data set of the user's own the one that the stages read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from pipeline.commands.options import Overrides
from pipeline.commands.terminal import can_ask, console, project_root, show_table
from stages.errors import DataError
from stages.messages import examples, plain
from stages.params import parse_mapping
from stages.shown import visible
from stages.yaml_file import read_text

if TYPE_CHECKING:
    from pipeline.dataset.columns import Chosen
    from pipeline.dataset.place import Placed
    from pipeline.dataset.sample import Sample

DATASET = "download.dataset"
READING = ("format", "encoding", "delimiter", "header", "quoting", "sheet")  # keys that say how a file is read
NONE = "none"  # what a person answers where no column is such
NEEDED = {"text": "the texts", "label": "their labels"}  # fields that a file must have


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
    from pipeline.dataset.columns import unused_columns
    from pipeline.dataset.describe import RESET, of_labels, params_of
    from pipeline.dataset.new_rows import describe_again, former_dataset, kept_columns, kept_values
    from pipeline.dataset.place import place
    from pipeline.execution.workspace import check_idle

    root = project_root()
    check_idle(root)
    before = read_text(root / params_file.NAME) or recipes.compose(root, "default")
    chosen = recipes.values_set(before, overrides or ())
    reading = {key: chosen[f"{DATASET}.{key}"] for key in READING if f"{DATASET}.{key}" in chosen}
    recipes.describe_in(before, {f"{DATASET}.{key}": value for key, value in reading.items()})  # it checks them
    values_before = parse_mapping(before, name=params_file.NAME)
    former = former_dataset(values_before, file)
    sample = describe_again(file, reading, former)
    options = {"text": text, "label": label or None, "id": id_, "group": group, "text_pair": pair}
    options = {field: _set_column(chosen, field) or name for field, name in options.items()}
    kept = kept_columns(sample, former)
    columns = _columns(sample, options, kept)
    placed = place(root, file, force=force)
    values = params_of(sample, columns, path=placed.path) | of_labels(values_before, columns)
    values |= kept_values(sample, former, columns)
    if title or former:
        values["report.title"] = title or values_before["report"]["title"]
    text_now = recipes.override(recipes.describe_in(before, values), overrides or ())
    params_file.write_params(root, text_now)
    columns_now = parse_mapping(text_now, name=params_file.NAME)["download"]["dataset"]["columns"]
    sample = sample.with_notes(*sample.notes, ("not used", unused_columns(sample, columns_now)))
    keys = list(RESET)
    if former:  # all that describes the same rows is kept, or named
        unset = [field for field, name in options.items() if name is None and not (can_ask() and field in kept)]
        keys += [f"{DATASET}.{key}" for key in ("files", *READING, *(f"columns.{field}" for field in unset))]
    _show(
        placed,
        sample,
        columns,
        params_file.changed_values(before, text_now, [key for key in keys if key not in chosen]),
    )


def _set_column(chosen: dict[str, Any], field: str) -> str | list[str] | None:
    """The column that `-S download.dataset.columns` sets for a field, as an option says it; None: it sets none."""
    value = chosen.get(key := f"{DATASET}.columns.{field}")
    if value is None:
        return NONE if key in chosen and field not in NEEDED else None
    return [str(name) for name in value] if field == "label" and isinstance(value, list) else str(value)


def _columns(
    sample: "Sample", options: dict[str, str | list[str] | None], kept: dict[str, "Chosen"]
) -> dict[str, "Chosen"]:
    """The column for each field: as the options say, as a person answers, as it was before, or as it is guessed."""
    from pipeline.dataset.columns import columns_named, guess_columns, names_of, show_columns, show_names, why_none
    from pipeline.dataset.sheets import other_sheet

    if sample.format == "folders":
        if field := next((field for field, name in options.items() if name not in (None, NONE)), None):
            raise DataError(f"A folder per class has no columns, so none is for the {field}. Leave that option out.")
        return {}
    guesses = guess_columns(sample)
    asked = {name for option in options.values() for name in names_of(sample, option)}
    chosen: dict[str, Chosen] = {}
    for field, option in options.items():
        name = option
        if field in kept and asked.isdisjoint(names_of(sample, kept[field])):
            guess = kept[field]
        else:
            taken = asked.union(*(names_of(sample, column) for column in (*chosen.values(), *kept.values())))
            guess = next((column for column in guesses.get(field, []) if str(column) not in taken), None)
        while name is None and can_ask() and field in guesses:
            answer = typer.prompt(
                f"Column of the {field} ({show_names(sample.columns)}{'' if field in NEEDED else f', or {NONE}'})",
                default=",".join(names_of(sample, guess)) if guess is not None else None if field in NEEDED else NONE,
            )
            known = (NONE, *(str(column.name) for column in sample.columns), *sample.lists)
            name = answer if set(names_of(sample, answer)) <= set(known) else None
        if name is None and guess is None and field in NEEDED:
            if why := why_none(sample, field):
                raise DataError(f"{why.removesuffix('.')}{other_sheet(sample.sheets, sample.sheet)}.")
            raise DataError(
                f"Which column has {NEEDED[field]}? {show_columns(sample)} Add: --{field} COLUMN"
                f"{other_sheet(sample.sheets, sample.sheet)}"
            )
        is_none = name == NONE and field not in NEEDED
        chosen[field] = None if is_none else guess if name is None else columns_named(sample, field, name)
    return chosen


def _show(placed: "Placed", sample: "Sample", columns: dict[str, "Chosen"], lost: list[str]) -> None:
    """Print where the data is, what was taken for what, which values were reset, and what to do next."""
    from pipeline.dataset.columns import names_of

    where = f"{placed.path}{' (copied)' if placed.copied else ''}"
    if placed.tracked:
        console.print(f"{where}: tracked by DVC; git gets {placed.path}.dvc only, never the data.")
    else:
        console.print(f"{where}: tracked by git already, so it stays there.")
    table = Table(box=None, pad_edge=False, show_header=False)
    for field in ("text", "text_pair", "label", "id", "group"):
        name = columns.get(field)
        if name is not None or (field in ("id", "group") and columns):
            shown = NONE if name is None else ", ".join(map(plain, names_of(sample, name)))
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
    for line in lost:
        console.print(f"  reset {visible(line)} (to set it again: retune init FILE -S KEY=VALUE)")
    console.print("params.yaml describes it. To change a column: retune init FILE --label COLUMN")
    console.print("Next: retune run. To share the data: git add --all, git commit, dvc push")


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
